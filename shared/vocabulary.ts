// The closed sets of words that both sides check against, and what the master must know of an app to plan.

export const SERVICE_TYPES = ['http', 'db', 'dns', 'file'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export type DbDriver = 'mysql' | 'pgsql';

interface DbEngineFacts {
  /** What sites speak to its services. */
  readonly driver: DbDriver;
  /** When the server did not say. */
  readonly port: number;
  /**
   * How a database follows another one while its site moves: its servers do it among themselves, by an account that is made
   * for that, or what changed travels as parts.
   */
  readonly follows: 'by servers' | 'by parts' | 'never';
}

export const DB_ENGINES: Readonly<Record<string, DbEngineFacts>> = {
  mariadb: { driver: 'mysql', port: 3306, follows: 'by parts' },
  mysql: { driver: 'mysql', port: 3306, follows: 'never' },
  postgresql: { driver: 'pgsql', port: 5432, follows: 'by servers' },
};

interface AppFacts {
  readonly db: 'required' | 'optional' | 'none';
  /** What its code can speak. */
  readonly drivers: readonly DbDriver[];
  /** Seconds between two runs of its cron unless a person says otherwise; 0: it has none. */
  readonly cronSeconds: number;
  /** Visitors' requests leave files behind, such as uploads, which every web server of the site must see. */
  readonly writes: boolean;
  /** What a visitor's session is kept in: the database, or files of one web server, to which the visitor must come back. */
  readonly sessions: 'database' | 'files' | 'none';
}

/** Bounds of what a person may say. */
export const MIN_CRON_SECONDS = 60;
export const MAX_CRON_SECONDS = 7 * 86_400;

export const APPS = {
  drupal: { db: 'required', drivers: ['mysql', 'pgsql'], cronSeconds: 3600, writes: true, sessions: 'database' },
  // Its events include posts that shall appear at a time.
  wordpress: { db: 'required', drivers: ['mysql'], cronSeconds: 900, writes: true, sessions: 'database' },
  php: { db: 'optional', drivers: ['mysql', 'pgsql'], cronSeconds: 3600, writes: true, sessions: 'files' },
  static: { db: 'none', drivers: [], cronSeconds: 0, writes: false, sessions: 'none' },
} as const satisfies Record<string, AppFacts>;
export type AppName = keyof typeof APPS;

/** The trees that a site of the app has of its own, visitors' or not; none of one that is not known yet. */
export function treesOf(app: AppName | ''): readonly string[] {
  if (app === '') return [];
  return ['files', 'private', ...(APPS[app].sessions === 'files' ? ['sessions'] : [])];
}

/** Whether sites of the app can have their database on services of the engine. */
export function canUseDb(app: AppName, engine: string): boolean {
  const driver = Object.hasOwn(DB_ENGINES, engine) ? DB_ENGINES[engine]?.driver : undefined;
  return APPS[app].drivers.some((each) => each === driver);
}

/** Engines that the app can use, in words. */
export function enginesFor(app: AppName): string {
  const names = Object.keys(DB_ENGINES).filter((engine) => canUseDb(app, engine));
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(names);
}

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export function isServiceType(text: string): text is ServiceType {
  return (SERVICE_TYPES as readonly string[]).includes(text);
}

export function isAppName(text: string): text is AppName {
  return Object.hasOwn(APPS, text);
}

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}
