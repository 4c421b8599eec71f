// The engine db/mariadb: a database and a user per site, reachable from the site's web servers only.
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext, Change, Checking, Engine, Preparing } from '../../engine.ts';
import { checkMariadb } from './check.ts';
import { type Client, createClient } from './client.ts';
import { planListening } from './listening.ts';
import {
  alterDatabase,
  CHARSET,
  COLLATION,
  createAccount,
  createDatabase,
  dropAccount,
  dropDatabase,
  grant,
  namesOf,
  nativeHash,
  resetGrants,
  selectAccounts,
  selectDatabase,
  setPassword,
  showGrants,
  wantedGrants,
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
      const rows = await createClient(ctx.host, daemon).query(
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name REGEXP '^site_[0-9a-z]{16}$';",
        'look at the databases',
        ctx.signal,
      );
      return rows.flatMap(([name]) =>
        name ? [{ siteId: `site-${name.slice('site_'.length)}`, what: 'database' }] : [],
      );
    },

    async plan(_service, spec, ctx) {
      const names = namesOf(spec.siteId);
      if (spec.database !== names.database || spec.user !== names.user) {
        throw new AegirError(
          'invalid_argument',
          `cannot make database ${spec.database}: its name is not that of ${spec.siteId}`,
        );
      }
      const daemon = await mariadbOf(ctx.host, `make database ${spec.database}`);
      const client = createClient(ctx.host, daemon);
      const hosts = [...new Set(spec.from)];
      return [...(await planDatabase(client, spec, ctx)), ...(await planAccounts(client, spec, hosts, ctx))];
    },

    async remove(_service, siteId, _spec, ctx) {
      const { database, user } = namesOf(siteId);
      const daemon = await mariadbOf(ctx.host, `drop database ${database}`);
      const client = createClient(ctx.host, daemon);
      const accounts = await accountsOf(client, user, ctx);
      const changes = accounts.map(({ host }) =>
        statement(client, `drop user ${user} from ${host}`, dropAccount(user, host)),
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
  readonly plugin: string;
  readonly hash: string;
}

async function accountsOf(client: Client, user: string, ctx: ActionContext): Promise<readonly Account[]> {
  const rows = await client.query(selectAccounts(user), `look at user ${user}`, ctx.signal);
  return rows.map(([host, plugin, hash]) => ({ host: host ?? '', plugin: plugin ?? '', hash: hash ?? '' }));
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
    const account = there.find((each) => each.host === host);
    if (account === undefined) {
      // In one go, so that no crash leaves a user without its grants unseen: plan looks at both anyway.
      const sql = `${createAccount(user, host, hash)}\n${grant(database, user, host)}`;
      changes.push(
        statement(client, `create user ${user} for connections from ${host}, with rights on ${database} only`, sql),
      );
      continue;
    }
    if (account.plugin !== 'mysql_native_password' || account.hash !== hash) {
      changes.push(statement(client, `set the password of ${user} from ${host}`, setPassword(user, host, hash)));
    }
    const drift = await grantDrift(client, spec, host, ctx);
    if (drift !== '') {
      changes.push(
        statement(
          client,
          `restore the rights of ${user} from ${host} to ${database} only (${drift})`,
          resetGrants(database, user, host),
        ),
      );
    }
  }
  for (const { host } of there) {
    if (hosts.includes(host)) continue;
    changes.push(
      statement(client, `drop user ${user} from ${host}, which no web server of the site is`, dropAccount(user, host)),
    );
  }
  return changes;
}

/** Why the grants are not as they should be; empty when they are. */
async function grantDrift(client: Client, spec: DbSpec, host: string, ctx: ActionContext): Promise<string> {
  const rows = await client.query(showGrants(spec.user, host), `look at the rights of ${spec.user}`, ctx.signal);
  // The first line may carry the account's password hash; only the rights count here.
  const have = rows.map(([line]) => (line ?? '').replace(/ IDENTIFIED (?:BY PASSWORD|VIA) .*$/, ''));
  const want = wantedGrants(spec.database, spec.user, host);
  const missing = want.filter((line) => !have.includes(line)).length;
  const extra = have.filter((line) => !want.includes(line)).length;
  if (missing === 0 && extra === 0) return '';
  return [missing > 0 ? 'rights were missing' : '', extra > 0 ? 'there were rights that it must not have' : '']
    .filter((text) => text !== '')
    .join(', ');
}
