// The accounts of a site: its user from each web server, locked while it is frozen, and its deputy, which is locked but
// for the time of a restore.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import type { Client } from './client.ts';
import type { Dialect } from './dialect.ts';
import { type GrantDrift, grantDrift } from './drift.ts';
import { grant, selectConnections, showGrants } from './sql.ts';
import { statement } from './statement.ts';

/** Of connections that are to end: a server needs a moment to end one. */
const MOST_LOOKS = 50;
const ENDING_MS = 30_000;

interface Account {
  readonly host: string;
  /** As accountDrift reads it; holds the password's hash. */
  readonly properties: string;
}

/** Of a user or a deputy. */
export async function accountsOf(
  client: Client,
  dialect: Dialect,
  user: string,
  ctx: ActionContext,
): Promise<readonly Account[]> {
  const rows = await client.query(dialect.selectAccounts(user), `look at user ${user}`, ctx.signal);
  return rows.map(([host, properties]) => ({ host: host ?? '', properties: properties ?? '' }));
}

/** hosts: normalised. */
export async function planAccounts(
  client: Client,
  dialect: Dialect,
  spec: DbSpec,
  hosts: readonly string[],
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { database, user, password, frozen } = spec;
  const there = await accountsOf(client, dialect, user, ctx);
  const changes: Change[] = [];
  for (const host of hosts) {
    // In one go, so that no crash leaves a user without its grants unseen: plan looks at both anyway.
    const anew = `${dialect.createAccount(user, host, password, frozen)}\n${grant(database, user, host)}`;
    const found = there.find((each) => each.host === host);
    if (found === undefined) {
      const locked = frozen ? ', locked' : '';
      const summary = `create user ${user} for connections from ${host}, with rights on ${database} only${locked}`;
      changes.push(statement(client, summary, anew));
      continue;
    }
    const why = dialect.accountDrift(found.properties, password, frozen);
    if (why.length > 0) {
      const summary = `${doingOf(why)} ${user} from ${host} (${why.join(', ')})`;
      changes.push(statement(client, summary, dialect.alterAccount(user, host, password, frozen)));
    }
    const rights = await rightsOf(client, database, user, host, ctx);
    if (rights.missing || rights.extra) {
      const summary = `restore the rights of ${user} from ${host} to ${database} only (${inWords(rights)})`;
      // REVOKE leaves default roles and the right to be another user: whoever has too much is made anew.
      changes.push(statement(client, summary, rights.extra ? anew : grant(database, user, host)));
    }
  }
  for (const { host } of there) {
    if (hosts.includes(host)) continue;
    const summary = `drop user ${user} from ${inLine(host)}, which no web server of the site is`;
    changes.push(dropping(client, dialect, summary, user, host));
  }
  if (frozen && (changes.length > 0 || (await isConnected(client, user, ctx)))) {
    changes.push(ending(client, `end the connections of ${user}, which is frozen`, user));
  }
  return [...changes, ...(await planDeputy(client, dialect, spec, ctx))];
}

function doingOf(why: readonly string[]): string {
  const [only, ...more] = why;
  if (more.length > 0) return 'set the password of';
  if (only === 'it was not locked') return 'lock';
  return only === 'it was locked' ? 'unlock' : 'set the password of';
}

/** What a restore left, by its death or because somebody changed it: there is one, from the host itself, and nobody gets in. */
async function planDeputy(
  client: Client,
  dialect: Dialect,
  { siteId }: DbSpec,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { database, deputy } = namesOf(siteId);
  const there = await accountsOf(client, dialect, deputy, ctx);
  const changes: Change[] = [];
  for (const { host, properties } of there) {
    if (host !== 'localhost') {
      changes.push(dropping(client, dialect, `drop user ${deputy} from ${inLine(host)}`, deputy, host));
      continue;
    }
    const rights = await rightsOf(client, database, deputy, host, ctx);
    // Nobody knows its password, so that this one says "another" of it too.
    const why = dialect.accountDrift(properties, '', true).filter((each) => each !== 'it was another one');
    if (why.length === 0 && !rights.missing && !rights.extra) continue;
    const reasons = [...why, ...(rights.missing || rights.extra ? [inWords(rights)] : [])].join(', ');
    const summary = `close ${deputy}, which what is defined in ${database} runs as (${reasons})`;
    const change = ending(client, summary, deputy, deputySql(dialect, siteId, nobodys(), true));
    changes.push(change);
  }
  return changes;
}

/** The deputy with its rights and nothing else, closed or open to who has the password. */
export function deputySql(dialect: Dialect, siteId: string, password: string, locked: boolean): string {
  const { database, deputy } = namesOf(siteId);
  const account = dialect.createAccount(deputy, 'localhost', password, locked);
  return `${account}\n${grant(database, deputy, 'localhost')}`;
}

/** A password that is told to nobody, or to one program. */
export function nobodys(): string {
  return randomBytes(24).toString('base64url');
}

/** Runs first and ends all connections of the user; resolves when they are gone. */
export function ending(client: Client, summary: string, user: string, first?: string): Change {
  const run = async (ctx: ActionContext): Promise<void> => {
    if (first !== undefined) await client.query(first, summary, ctx.signal);
    const areGone = async (): Promise<boolean> => {
      ctx.signal.throwIfAborted();
      const kills = await connectionsOf(client, user, ctx);
      if (kills.length === 0) return true;
      // One that ended by itself meanwhile stops the rest: they are looked for again.
      await client.query(kills.join('\n'), summary, ctx.signal).catch(() => {});
      return false;
    };
    if (await waitUntil(areGone, ENDING_MS, 100)) return;
    throw new AegirError(
      'unavailable',
      `cannot ${summary}: one is still there after ${ENDING_MS / 1000} s, perhaps undoing what it did; see SHOW PROCESSLIST`,
    );
  };
  return { summary, run };
}

async function isConnected(client: Client, user: string, ctx: ActionContext): Promise<boolean> {
  return (await connectionsOf(client, user, ctx)).length > 0;
}

async function connectionsOf(client: Client, user: string, ctx: ActionContext): Promise<readonly string[]> {
  const rows = await client.query(selectConnections(user), `look who is connected as ${user}`, ctx.signal);
  return rows.map(([kill]) => kill ?? '').filter((kill) => /^KILL [0-9]+;$/.test(kill));
}

/** Who is in already would stay: a server checks accounts at log-in only. */
export function dropping(client: Client, dialect: Dialect, summary: string, user: string, host: string): Change {
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

async function rightsOf(
  client: Client,
  database: string,
  user: string,
  host: string,
  ctx: ActionContext,
): Promise<GrantDrift> {
  const rows = await client.query(showGrants(user, host), `look at the rights of ${user}`, ctx.signal);
  const lines = rows.map(([line]) => line ?? '');
  return grantDrift(lines, database, user, host);
}

function inWords({ missing, extra }: GrantDrift): string {
  return [missing ? 'rights were missing' : '', extra ? 'there were rights that it must not have' : '']
    .filter((text) => text !== '')
    .join(', ');
}

/** Summaries are one line, whatever somebody named a host. */
export function inLine(host: string): string {
  return /^[\x21-\x7e]+$/.test(host) ? host : JSON.stringify(host);
}
