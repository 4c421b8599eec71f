// The stage on which apps are tested: a real host in a private directory with web server, PHP and database, and short ways
// to do with a site what an agent does.
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseName, databaseUser } from '../../shared/database-name.ts';
import { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Change, Engine } from '../engine/engine.ts';
import { runChanges } from '../engine/engine.ts';
import { createEmbeddedHost } from '../host/embedded/host.ts';
import type { Host } from '../host/host.ts';
import { type SiteLayout, siteLayout } from '../host/site-layout.ts';
import type { App, CronSite } from './app.ts';

/** What apps themselves must not know, brought by each test. */
export interface World {
  readonly http: Engine<'http'>;
  readonly db: Engine<'db'>;
  readonly runCron: CronUnderTest;
  planAccount(layout: SiteLayout, host: Host): Promise<readonly Change[]>;
  planAccountRemoval(layout: SiteLayout, host: Host): Promise<readonly Change[]>;
}

/** agent/cron/run-cron.ts, as far as the suite needs it. */
export type CronUnderTest = (
  run: {
    readonly id: string;
    readonly entry: CronSite & {
      readonly sharedRoot: string;
      readonly php: undefined;
      readonly intervalSeconds: number;
    };
    readonly timeoutMs: number;
    now(): number;
    onLine(line: string): void;
  },
  apps: readonly App[],
  ctx: ActionContext,
) => Promise<{ readonly outcome: string; readonly text: string }>;

export interface Stage {
  readonly host: Host;
  readonly ctx: ActionContext;
  /** A directory for code bases that the sites' user can read. */
  readonly dir: string;
  readonly address: string;
  readonly port: number;
  /** Every argument of every program that was started. */
  readonly argv: string[];
  /** What was logged. */
  readonly said: string[];
  layout(site: SiteSpec): SiteLayout;
  site(body: string, root: string, part?: Partial<SiteSpec>): SiteSpec;
  /** Database, account, settings and virtual host. */
  publish(site: SiteSpec): Promise<void>;
  /** Account and settings only. */
  prepare(site: SiteSpec): Promise<readonly string[]>;
  planned(site: SiteSpec): Promise<readonly string[]>;
  /** Everything of the site, as a task does it; answers what the app's part was. */
  remove(site: SiteSpec): Promise<readonly string[]>;
  close(): Promise<void>;
}

const ADDRESS = '127.0.33.9';
/** Characters that a PHP string, a shell, an option file or SQL gives a meaning, as a password may hold them. */
export const HOSTILE = `a'b"c\\'d$e{$f}\`id\`?><?php#/*%s;--\\`;

/** The sites' databases have this password. */
export async function openStage(app: App, world: World, password: string): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-app-'));
  // The daemons run as somebody else when we are root.
  await chmod(dir, 0o755);
  const pgsql = world.db.name === 'postgresql';
  const ports = { nginx: await freePort(), mariadb: await freePort(), postgresql: await freePort() };
  const embedded = await createEmbeddedHost({
    dir: join(dir, 'host'),
    hostname: 'web.test',
    address: ADDRESS,
    ports,
    daemons: ['nginx', pgsql ? 'postgresql@15-main' : 'mariadb', `php-fpm@${await installedPhp()}`],
  }).catch(async (error: unknown) => {
    await rm(dir, { recursive: true, force: true });
    throw error;
  });
  const argv: string[] = [];
  const host: Host = {
    ...embedded,
    run: (command) => {
      argv.push(...command.argv);
      return embedded.run(command);
    },
  };
  const said: string[] = [];
  const log = (_level: string, text: string): void => void said.push(text);
  const nothing = (): void => {};
  const signal = new AbortController().signal;
  const ctx: ActionContext = { host, signal, failpoint: nothing, log, progress: nothing, message: nothing };
  const layout = (site: SiteSpec) => siteLayout(host.paths, site.id);
  const ref = (type: string, engine: string) => ({
    id: `svc-000000000000000${type === 'db' ? 1 : 2}`,
    serverId: 'srv-0000000000000001',
    type,
    engine,
    version: '',
    instance: '',
    settings: {},
    secrets: {},
  });
  const prepare = async (site: SiteSpec) => {
    await runChanges(await world.planAccount(layout(site), host), ctx);
    return runChanges(await app.prepare(site, layout(site), ctx), ctx);
  };
  const db = ref('db', world.db.name);
  const http = ref('http', world.http.name);
  return {
    host,
    ctx,
    dir,
    address: ADDRESS,
    port: ports.nginx,
    argv,
    said,
    layout,
    prepare,
    planned: async (site) => (await app.prepare(site, layout(site), ctx)).map(({ summary }) => summary),
    site: (body, root, part = {}) => {
      const id = `site-${body}`;
      return SiteSpec.fromPartial({
        id,
        name: `${body}.test`,
        aliases: [`www.${body}.test`],
        url: `http://${body}.test:${ports.nginx}`,
        platform: { id: 'plat-0000000000000001', app: app.name, root },
        title: 'Ann & Bob\'s "site"',
        adminName: 'admin',
        adminMail: `admin@${body}.test`,
        salt: 'saltSALT0123456789saltSALT0123456789',
        db: {
          driver: pgsql ? 'pgsql' : 'mysql',
          host: ADDRESS,
          port: pgsql ? ports.postgresql : ports.mariadb,
          database: databaseName(id),
          user: databaseUser(id),
          password,
        },
        ...part,
      });
    },
    publish: async (site) => {
      if (site.db !== undefined) {
        const { database, user, password } = site.db;
        const from = ['127.0.0.1', ADDRESS];
        await runChanges(
          await world.db.plan(
            db,
            { siteId: site.id, database, user, password, from, holdsContent: false, frozen: false },
            ctx,
          ),
          ctx,
        );
      }
      await prepare(site);
      const { id: siteId, name, aliases, url, platform } = site;
      if (platform === undefined) throw new Error('the site has no platform');
      const rules = app.web(platform, layout(site));
      const spec = {
        ...{ siteId, name, aliases, app: app.name, platform, url, state: 'enabled', php: undefined, rules },
        ...{
          tls: undefined,
          fronts: [],
          frontsOnly: false,
          othersHeld: false,
          sticky: false,
          sharedRoot: '',
          writerHead: '',
          challenges: {},
          redirectTo: '',
        },
      };
      await runChanges(await world.http.plan(http, spec, ctx), ctx);
    },
    remove: async (site) => {
      await runChanges(await world.http.remove(http, site.id, undefined, ctx), ctx);
      const done = await runChanges(await app.remove(site, layout(site), ctx), ctx);
      await runChanges(await world.planAccountRemoval(layout(site), host), ctx);
      await runChanges(await world.db.remove(db, site.id, undefined, ctx), ctx);
      return done;
    },
    close: async () => {
      await host.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, ADDRESS, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
    server.on('error', reject);
  });
}

async function installedPhp(): Promise<string> {
  const found = (await readdir('/usr/sbin')).flatMap((name) => /^php-fpm(\d+\.\d+)$/.exec(name)?.[1] ?? []);
  const [version] = found.sort().reverse();
  if (version === undefined) throw new Error('no PHP-FPM is installed here: apt install php-fpm');
  return version;
}
