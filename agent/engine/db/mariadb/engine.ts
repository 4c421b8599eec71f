// The engines db/mariadb and db/mysql: a database and a user per site, reachable from the site's web servers only. Both
// speak the same but for what dialect.ts names.
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { createSerial } from '../../../host/serial.ts';
import { versionOf } from '../../../host/version.ts';
import type {
  ActionContext,
  Change,
  Checking,
  Dumping,
  Engine,
  Measuring,
  Preparing,
  ReplicatingByParts,
} from '../../engine.ts';
import { lostDatabase } from '../lost.ts';
import { allowedHost, assertOwnNames, namesOf } from '../site-names.ts';
import { accountsOf, dropping, inLine, planAccounts } from './accounts.ts';
import { checkMariadb } from './check.ts';
import { type Client, createClient } from './client.ts';
import { type Dialect, MARIADB } from './dialect.ts';
import { dumpDatabase } from './dump.ts';
import { planListening } from './listening.ts';
import { MYSQL } from './mysql.ts';
import { requireUnprepared } from './prepared.ts';
import { createReplicating, planNoFollowing } from './replicating.ts';
import { restoreDatabase } from './restore.ts';
import {
  alterDatabase,
  CHARSET,
  COLLATION,
  createDatabase,
  dropDatabase,
  selectContent,
  selectDatabase,
  selectDatabases,
  selectSizes,
} from './sql.ts';
import { statement } from './statement.ts';

type MariadbEngine = Engine<'db'> & Preparing & Checking & Measuring & Dumping;

/** MySQL names its replication otherwise, and there is none to try it on. */
export function createMariadbEngine(): MariadbEngine & ReplicatingByParts {
  const engine = createEngine(MARIADB);
  return { ...engine, ...createReplicating(), capabilities: new Set([...engine.capabilities, 'replicate']) };
}

export function createMysqlEngine(): MariadbEngine {
  return createEngine(MYSQL);
}

function createEngine(dialect: Dialect): MariadbEngine {
  const daemonOf = async (host: Host, doing: string): Promise<Daemon> => {
    const daemon = await host.daemon(dialect.name);
    if (daemon !== undefined) return daemon;
    throw new AegirError(
      'failed_precondition',
      `cannot ${doing}: ${whyMissing(host, `${dialect.label} is not installed on this server; install ${dialect.serverPackage}`)}`,
    );
  };
  const clientFor = async (host: Host, doing: string): Promise<Client> =>
    createClient(host, await daemonOf(host, doing), dialect);
  const inTurn = createSerial();

  return {
    type: 'db',
    name: dialect.name,
    capabilities: new Set(['prepare', 'check', 'measure', 'network', 'dump']),

    async detect(host) {
      const daemon = await host.daemon(dialect.name);
      return daemon === undefined ? [] : [await detected(host, daemon, dialect)];
    },

    async inspect(_service, ctx) {
      const client = await clientFor(ctx.host, 'look at the databases');
      const rows = await client.query(selectDatabases(), 'look at the databases', ctx.signal);
      return rows.flatMap(([name]) =>
        name ? [{ siteId: `site-${name.slice('site_'.length)}`, what: 'database' }] : [],
      );
    },

    async plan(_service, spec, ctx) {
      assertOwnNames(spec);
      const client = await clientFor(ctx.host, `make database ${spec.database}`);
      const hosts = [...new Set(spec.from.map(allowedHost))];
      const database = await planDatabase(client, dialect, spec, ctx);
      return [...database, ...(await planAccounts(client, dialect, spec, hosts, ctx))];
    },

    async remove(_service, siteId, _spec, ctx) {
      const { database, user, deputy } = namesOf(siteId);
      const client = await clientFor(ctx.host, `drop database ${database}`);
      const [there] = await client.query(selectDatabase(database), `look at database ${database}`, ctx.signal);
      if (there !== undefined) await requireUnprepared(client, dialect, database, `drop database ${database}`, ctx);
      const changes: Change[] = [];
      if (dialect === MARIADB) changes.push(...(await planNoFollowing(client, siteId, ctx)));
      for (const who of [user, deputy]) {
        for (const { host } of await accountsOf(client, dialect, who, ctx)) {
          changes.push(dropping(client, dialect, `drop user ${who} from ${inLine(host)}`, who, host));
        }
      }
      if (there !== undefined) changes.push(statement(client, `drop database ${database}`, dropDatabase(database)));
      return changes;
    },

    async prepare(_service, ctx) {
      const daemon = await daemonOf(ctx.host, 'prepare it for sites');
      return planListening(createClient(ctx.host, daemon, dialect), daemon, dialect, ctx);
    },

    async measure(_service, ctx) {
      const client = await clientFor(ctx.host, 'measure the databases');
      const rows = await client.query(selectSizes(), 'measure the databases', ctx.signal);
      return rows.map(([name = '', bytes]) => ({
        siteId: `site-${name?.slice('site_'.length)}`,
        bytes: Number(bytes ?? 0),
      }));
    },

    async *dump(_service, spec, ctx, tell) {
      assertOwnNames(spec);
      const daemon = await daemonOf(ctx.host, `dump database ${spec.database}`);
      yield* dumpDatabase(daemon, dialect, spec, ctx, tell);
    },

    async restore(_service, spec, dump, ctx) {
      assertOwnNames(spec);
      const daemon = await daemonOf(ctx.host, `restore database ${spec.database}`);
      await restoreDatabase(daemon, dialect, spec, dump, ctx, inTurn);
    },

    async content(_service, spec, ctx) {
      assertOwnNames(spec);
      const doing = `look at database ${spec.database}`;
      const client = await clientFor(ctx.host, doing);
      const [row] = await client.query(selectContent(spec.database), doing, ctx.signal);
      return { tables: Number(row?.[0] ?? 0), bytes: Number(row?.[1] ?? 0) };
    },

    check: async (_service, ctx) => checkMariadb(await ctx.host.daemon(dialect.name), dialect, ctx),
  };
}

async function detected(host: Host, daemon: Daemon, { name }: Dialect): Promise<DetectedService> {
  return {
    type: 'db',
    engine: name,
    instance: '',
    version: await versionOf(host, [daemon.program, '--version'], /Ver ([0-9.]+)/),
    ports: daemon.port === 0 ? [] : [daemon.port],
    configRoots: [daemon.includeDir],
    running: await daemon.isRunning(),
    manageable: true,
    socket: daemon.socket,
    capabilities: name === 'mariadb' ? ['network', 'dump', 'replicate'] : ['network', 'dump'],
  };
}

async function planDatabase(
  client: Client,
  { label }: Dialect,
  spec: DbSpec,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { database } = spec;
  const [there] = await client.query(selectDatabase(database), `look at database ${database}`, ctx.signal);
  if (there === undefined && spec.holdsContent) throw lostDatabase(database, label);
  if (there === undefined) return [statement(client, `create database ${database}`, createDatabase(database))];
  const [charset, collation] = there;
  if (charset === CHARSET && collation === COLLATION) return [];
  return [
    statement(
      client,
      `set the default character set of ${database} to ${CHARSET} (it was ${charset}, ${collation})`,
      alterDatabase(database),
    ),
  ];
}
