// The engine db/mariadb: a database and a user per site, reachable from the site's web servers only.
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext, Change, Checking, Engine, Preparing } from '../../engine.ts';
import { lostDatabase } from '../lost.ts';
import { allowedHost, assertOwnNames, namesOf } from '../site-names.ts';
import { checkMariadb } from './check.ts';
import { type Client, createClient } from './client.ts';
import { accountDrift, type GrantDrift, grantDrift } from './drift.ts';
import { planListening } from './listening.ts';
import {
  alterAccount,
  alterDatabase,
  CHARSET,
  COLLATION,
  createAccount,
  createDatabase,
  dropAccount,
  dropDatabase,
  grant,
  nativeHash,
  selectAccounts,
  selectDatabase,
  selectDatabases,
  showGrants,
} from './sql.ts';

export function createMariadbEngine(): Engine<'db'> & Preparing & Checking {
  return {
    type: 'db',
    name: 'mariadb',
    capabilities: new Set(['prepare', 'check', 'network']),

    async detect(host) {
      const daemon = await host.daemon('mariadb');
      return daemon === undefined ? [] : [await detected(host, daemon)];
    },

    async inspect(_service, ctx) {
      const daemon = await mariadbOf(ctx.host, 'look at the databases');
      const rows = await createClient(ctx.host, daemon).query(selectDatabases(), 'look at the databases', ctx.signal);
      return rows.flatMap(([name]) =>
        name ? [{ siteId: `site-${name.slice('site_'.length)}`, what: 'database' }] : [],
      );
    },

    async plan(_service, spec, ctx) {
      assertOwnNames(spec);
      const daemon = await mariadbOf(ctx.host, `make database ${spec.database}`);
      const client = createClient(ctx.host, daemon);
      const hosts = [...new Set(spec.from.map(allowedHost))];
      return [...(await planDatabase(client, spec, ctx)), ...(await planAccounts(client, spec, hosts, ctx))];
    },

    async remove(_service, siteId, _spec, ctx) {
      const { database, user } = namesOf(siteId);
      const daemon = await mariadbOf(ctx.host, `drop database ${database}`);
      const client = createClient(ctx.host, daemon);
      const accounts = await accountsOf(client, user, ctx);
      const changes = accounts.map(({ host }) =>
        statement(client, `drop user ${user} from ${inLine(host)}`, dropAccount(user, host)),
      );
      const [there] = await client.query(selectDatabase(database), `look at database ${database}`, ctx.signal);
      if (there !== undefined) changes.push(statement(client, `drop database ${database}`, dropDatabase(database)));
      return changes;
    },

    async prepare(_service, ctx) {
      const daemon = await mariadbOf(ctx.host, 'prepare it for sites');
      return planListening(createClient(ctx.host, daemon), daemon, ctx);
    },

    check: async (_service, ctx) => checkMariadb(await ctx.host.daemon('mariadb'), ctx),
  };
}

async function mariadbOf(host: Host, doing: string): Promise<Daemon> {
  const daemon = await host.daemon('mariadb');
  if (daemon !== undefined) return daemon;
  throw new AegirError(
    'failed_precondition',
    `cannot ${doing}: MariaDB is not installed on this server; install mariadb-server`,
  );
}

async function detected(host: Host, daemon: Daemon): Promise<DetectedService> {
  const { stdout } = await host.run({ argv: [daemon.program, '--version'] });
  return {
    type: 'db',
    engine: 'mariadb',
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

function statement(client: Client, summary: string, sql: string): Change {
  return {
    summary,
    run: async (ctx) => {
      await client.query(sql, summary, ctx.signal);
    },
  };
}

async function planDatabase(client: Client, spec: DbSpec, ctx: ActionContext): Promise<readonly Change[]> {
  const { database } = spec;
  const [there] = await client.query(selectDatabase(database), `look at database ${database}`, ctx.signal);
  if (there === undefined && spec.holdsContent) throw lostDatabase(database, 'MariaDB');
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

async function accountsOf(client: Client, user: string, ctx: ActionContext): Promise<readonly Account[]> {
  const rows = await client.query(selectAccounts(user), `look at user ${user}`, ctx.signal);
  return rows.map(([host, properties]) => ({ host: host ?? '', properties: properties ?? '' }));
}

async function planAccounts(
  client: Client,
  spec: DbSpec,
  hosts: readonly string[],
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { database, user } = spec;
  const hash = nativeHash(spec.password);
  const there = await accountsOf(client, user, ctx);
  const changes: Change[] = [];
  for (const host of hosts) {
    // In one go, so that no crash leaves a user without its grants unseen: plan looks at both anyway.
    const anew = `${createAccount(user, host, hash)}\n${grant(database, user, host)}`;
    const found = there.find((each) => each.host === host);
    if (found === undefined) {
      changes.push(
        statement(client, `create user ${user} for connections from ${host}, with rights on ${database} only`, anew),
      );
      continue;
    }
    const why = accountDrift(found.properties, spec.password);
    if (why.length > 0) {
      const summary = `set the password of ${user} from ${host} (${why.join(', ')})`;
      changes.push(statement(client, summary, alterAccount(user, host, hash)));
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
      statement(
        client,
        `drop user ${user} from ${inLine(host)}, which no web server of the site is`,
        dropAccount(user, host),
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
