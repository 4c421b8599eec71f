// Looks into a site's own database and empties it, by PHP as the site's user with the site's own credentials.
import { AegirError } from '../../shared/error.ts';
import type { DbConnection, SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { APPS, enginesFor, isAppName } from '../../shared/vocabulary.ts';
import type { ActionContext } from '../engine/engine.ts';
import type { SiteLayout } from '../host/site-layout.ts';
import { pgsqlPlace } from './pgsql-place.ts';
import { runPhp } from './php-cli.ts';
import { databasePrograms } from './site-database-programs.ts';

/** Of mysqli a number, of the others a word. */
export type Failure = number | 'driver' | 'refused' | 'down';

export interface DatabaseContents {
  readonly tables: readonly string[];
  /** What the marker query answered; null for none. */
  readonly marker: string | null;
}

export interface Marker {
  /** Asked only when this table is there. */
  readonly table: string;
  /** One value. Constant text: nothing from outside stands in it. */
  readonly sql: string;
}

/** The connection of a site whose app can speak to it. */
export function connectionOf(site: SiteSpec): DbConnection {
  const { db, platform } = site;
  const app = platform?.app ?? '';
  const speaks = isAppName(app) ? APPS[app].drivers : [];
  if (db !== undefined && speaks.some((driver) => driver === db.driver)) return db;
  const needs = isAppName(app) ? enginesFor(app) : 'MariaDB or PostgreSQL';
  throw new AegirError(
    'failed_precondition',
    `cannot reach the database of ${site.name}: a service of ${needs} is needed`,
  );
}

/** For a program that connects. */
export function inputFor(db: DbConnection): object {
  return db.driver === 'pgsql' ? { ...db, ...pgsqlPlace(db) } : db;
}

export async function databaseContents(
  site: SiteSpec,
  marker: Marker,
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<DatabaseContents> {
  const db = connectionOf(site);
  const found = (await runPhp(
    databasePrograms(db.driver).look,
    { ...inputFor(db), markerTable: marker.table, markerSql: marker.sql },
    layout,
    `look at the database of ${site.name}`,
    ctx,
  )) as Partial<DatabaseContents> & { error?: Failure };
  if (found.error !== undefined) throw unreachable(site, found.error);
  return { tables: found.tables ?? [], marker: found.marker ?? null };
}

/** Drops every table and view: the database is the site's own. */
export async function emptyDatabase(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void> {
  const db = connectionOf(site);
  const doing = `empty the database of ${site.name}`;
  const done = (await runPhp(databasePrograms(db.driver).empty, inputFor(db), layout, doing, ctx)) as {
    error?: Failure;
  };
  if (done.error !== undefined) throw unreachable(site, done.error);
}

export function unreachable(site: SiteSpec, error: Failure): AegirError {
  const { driver, host, port, socket } = connectionOf(site);
  const where = socket === '' ? `${host}:${port}` : socket;
  const server = driver === 'pgsql' ? 'PostgreSQL' : 'MariaDB';
  const told = typeof error === 'number' ? ` (error ${error})` : '';
  if (error === 'driver') {
    return new AegirError(
      'failed_precondition',
      `cannot use the database of ${site.name}: PHP on the web server cannot speak to ${server}; install php-pgsql there`,
    );
  }
  if (error === 'refused' || error === 1045 || error === 1044 || error === 1130) {
    return new AegirError(
      'permission_denied',
      `cannot use the database of ${site.name} at ${where}: it does not let the web server in${told}; verify the site`,
    );
  }
  return new AegirError(
    'unavailable',
    `cannot reach the database of ${site.name} at ${where}${told}; look whether ${server} runs there and the network lets port ${port || 'of the socket'} through`,
  );
}
