// The engines db/mariadb and db/mysql: a database and a user per site, reachable from the site's web servers only. Both
// speak the same but for what dialect.ts names.
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext, Change, Checking, Engine, Measuring, Preparing } from '../../engine.ts';
import { lostDatabase } from '../lost.ts';
import { allowedHost, assertOwnNames, namesOf } from '../site-names.ts';
import { checkMariadb } from './check.ts';
import { type Client, createClient } from './client.ts';
import { type Dialect, MARIADB } from './dialect.ts';
import { type GrantDrift, grantDrift } from './drift.ts';
import { planListening } from './listening.ts';
import { MYSQL } from './mysql.ts';
import {
  alterDatabase,
  CHARSET,
  COLLATION,
  createDatabase,
  dropDatabase,
  grant,
  selectDatabase,
  selectDatabases,
  selectSizes,
  showGrants,
} from './sql.ts';

export function createMariadbEngine(): Engine<'db'> & Preparing & Checking & Measuring {
  return createEngine(MARIADB);
}

export function createMysqlEngine(): Engine<'db'> & Preparing & Checking & Measuring {
  return createEngine(MYSQL);
}

function createEngine(dialect: Dialect): Engine<'db'> & Preparing & Checking & Measuring {
  const daemonOf = async (host: Host, doing: string): Promise<Daemon> => {
    const daemon = await host.daemon(dialect.name);
    if (daemon !== undefined) return daemon;
    throw new AegirError(
      'failed_precondition',
      `cannot ${doing}: ${dialect.label} is not installed on this server; install ${dialect.serverPackage}`,
    );
  };
  const clientFor = async (host: Host, doing: string): Promise<Client> =>
    createClient(host, await daemonOf(host, doing), dialect);

  return {
    type: 'db',
    name: dialect.name,
    capabilities: new Set(['prepare', 'check', 'measure', 'network']),

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
      const { database, user } = namesOf(siteId);
      const client = await clientFor(ctx.host, `drop database ${database}`);
      const accounts = await accountsOf(client, dialect, user, ctx);
      const changes = accounts.map(({ host }) =>
        dropping(client, dialect, `drop user ${user} from ${inLine(host)}`, user, host),
      );
      const [there] = await client.query(selectDatabase(database), `look at database ${database}`, ctx.signal);
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

    check: async (_service, ctx) => checkMariadb(await ctx.host.daemon(dialect.name), dialect, ctx),
  };
}

async function detected(host: Host, daemon: Daemon, { name }: Dialect): Promise<DetectedService> {
  const { stdout } = await host.run({ argv: [daemon.program, '--version'] });
  return {
    type: 'db',
    engine: name,
    instance: '',
    version: /Ver ([0-9.]+)/.exec(stdout)?.[1] ?? '',
    ports: daemon.port === 0 ? [] : [daemon.port],
    configRoots: [daemon.includeDir],
    running: await daemon.isRunning(),
    manageable: true,
    socket: daemon.socket,
    capabilities: ['network'],
  };
}

/** Of connections that are to end: a server needs a moment to end one. */
const MOST_LOOKS = 50;

function statement(client: Client, summary: string, sql: string): Change {
  return {
    summary,
    run: async (ctx) => {
      await client.query(sql, summary, ctx.signal);
    },
  };
}

/** Who is in already would stay: a server checks accounts at log-in only. */
function dropping(client: Client, dialect: Dialect, summary: string, user: string, host: string): Change {
  const drop = statement(client, summary, dialect.dropAccount(user, host));
  const { selectEnding } = dialect;
  if (selectEnding === undefined) return drop;
  const run = async (ctx: ActionContext): Promise<void> => {
    await drop.run(ctx);
    for (let left = MOST_LOOKS; left > 0; left--) {
      const rows = await client.query(selectEnding(user, host), `look who is connected as ${user}`, ctx.signal);
      const kills = rows.map(([kill]) => kill ?? '').filter((kill) => /^KILL [0-9]+;$/.test(kill));
      if (kills.length === 0) return;
      // One that ended by itself meanwhile stops the rest: they are looked for again.
      await client.query(kills.join('\n'), summary, ctx.signal).catch((thrown: unknown) => {
        if (left === 1) throw thrown;
      });
    }
  };
  return { summary, run };
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

interface Account {
  readonly host: string;
  /** As accountDrift reads it; holds the password's hash. */
  readonly properties: string;
}

async function accountsOf(
  client: Client,
  dialect: Dialect,
  user: string,
  ctx: ActionContext,
): Promise<readonly Account[]> {
  const rows = await client.query(dialect.selectAccounts(user), `look at user ${user}`, ctx.signal);
  return rows.map(([host, properties]) => ({ host: host ?? '', properties: properties ?? '' }));
}

async function planAccounts(
  client: Client,
  dialect: Dialect,
  spec: DbSpec,
  hosts: readonly string[],
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { database, user, password } = spec;
  const there = await accountsOf(client, dialect, user, ctx);
  const changes: Change[] = [];
  for (const host of hosts) {
    // In one go, so that no crash leaves a user without its grants unseen: plan looks at both anyway.
    const anew = `${dialect.createAccount(user, host, password)}\n${grant(database, user, host)}`;
    const found = there.find((each) => each.host === host);
    if (found === undefined) {
      changes.push(
        statement(client, `create user ${user} for connections from ${host}, with rights on ${database} only`, anew),
      );
      continue;
    }
    const why = dialect.accountDrift(found.properties, password);
    if (why.length > 0) {
      const summary = `set the password of ${user} from ${host} (${why.join(', ')})`;
      changes.push(statement(client, summary, dialect.alterAccount(user, host, password)));
    }
    const rights = await rightsOf(client, spec, host, ctx);
    if (rights.missing || rights.extra) {
      const summary = `restore the rights of ${user} from ${host} to ${database} only (${inWords(rights)})`;
      // REVOKE leaves default roles and the right to be another user: whoever has too much is made anew.
      changes.push(statement(client, summary, rights.extra ? anew : grant(database, user, host)));
    }
  }
  for (const { host } of there) {
    if (hosts.includes(host)) continue;
    changes.push(
      dropping(
        client,
        dialect,
        `drop user ${user} from ${inLine(host)}, which no web server of the site is`,
        user,
        host,
      ),
    );
  }
  return changes;
}

async function rightsOf(client: Client, spec: DbSpec, host: string, ctx: ActionContext): Promise<GrantDrift> {
  const rows = await client.query(showGrants(spec.user, host), `look at the rights of ${spec.user}`, ctx.signal);
  const lines = rows.map(([line]) => line ?? '');
  return grantDrift(lines, spec.database, spec.user, host);
}

function inWords({ missing, extra }: GrantDrift): string {
  return [missing ? 'rights were missing' : '', extra ? 'there were rights that it must not have' : '']
    .filter((text) => text !== '')
    .join(', ');
}

/** Summaries are one line, whatever somebody named a host. */
function inLine(host: string): string {
  return /^[\x21-\x7e]+$/.test(host) ? host : JSON.stringify(host);
}
