// A database that another MariaDB follows by the binary log: whether it can, and the account for the follower alone.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { allowedHost, namesOf } from '../site-names.ts';
import { accountsOf, dropping, inLine } from './accounts.ts';
import type { Client } from './client.ts';
import type { Dialect } from './dialect.ts';
import { account, literal, selectDumpable, showGrants } from './sql.ts';

export interface Follower {
  readonly addresses: readonly string[];
  readonly password: string;
}

/** Makes the accounts, unless preview; answers where the binary log ends. Throws failed_precondition, with why. */
export async function openReplica(
  client: Client,
  dialect: Dialect,
  { siteId, database }: DbSpec,
  follower: Follower,
  preview: boolean,
  ctx: ActionContext,
): Promise<string> {
  const doing = `let another server follow database ${database}`;
  const hosts = [...new Set(follower.addresses.map(allowedHost))].filter((host) => host !== 'localhost');
  const why = await obstacle(client, database, doing, ctx);
  if (why !== undefined) throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`, { untouched: true });
  if (!preview) {
    for (const change of await planFollower(client, dialect, siteId, hosts, follower.password, ctx)) {
      await change.run(ctx);
    }
  }
  return endOfLog(client, doing, ctx);
}

/** Takes the accounts back, and ends who is connected by them. */
export async function planNoReplica(
  client: Client,
  dialect: Dialect,
  siteId: string,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { follower } = namesOf(siteId);
  const there = await accountsOf(client, dialect, follower, ctx);
  return there.map(({ host }) =>
    dropping(client, dialect, `drop user ${follower} from ${inLine(host)}`, follower, host),
  );
}

async function planFollower(
  client: Client,
  dialect: Dialect,
  siteId: string,
  hosts: readonly string[],
  password: string,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { follower } = namesOf(siteId);
  const there = await accountsOf(client, dialect, follower, ctx);
  const changes: Change[] = [];
  for (const { host } of there) {
    if (hosts.includes(host)) continue;
    changes.push(dropping(client, dialect, `drop user ${follower} from ${inLine(host)}`, follower, host));
  }
  for (const host of hosts) {
    const found = there.find((each) => each.host === host);
    // Who is connected stays so: its account is made anew only when it is another one.
    if (found !== undefined && dialect.accountDrift(found.properties, password, false).length === 0) {
      const rows = await client.query(showGrants(follower, host), `look at the rights of ${follower}`, ctx.signal);
      if (rows.length === 1 && /^GRANT REPLICATION SLAVE ON /.test(rows[0]?.[0] ?? '')) continue;
    }
    const sql = `${dialect.createAccount(follower, host, password, false)}
GRANT REPLICATION SLAVE ON *.* TO ${account(follower, host)};`;
    const summary = `let ${host} follow by user ${follower}`;
    changes.push({ summary, run: async (change) => void (await client.query(sql, summary, change.signal)) });
  }
  return changes;
}

/** Why it cannot be followed, and what to do about it. */
async function obstacle(
  client: Client,
  database: string,
  doing: string,
  ctx: ActionContext,
): Promise<string | undefined> {
  const sql = `SELECT @@log_bin, @@binlog_format, @@server_id, @@skip_networking,
  (SELECT COUNT(*) FROM information_schema.events WHERE BINARY event_schema = ${literal(database)} AND status = 'ENABLED');`;
  const [row] = await client.query(sql, doing, ctx.signal);
  const [log, format, id, silent, events] = row ?? [];
  if (log !== '1') {
    return 'MariaDB there keeps no binary log; set log_bin, binlog_format = ROW and a server_id of its own, and restart it';
  }
  if (format !== 'ROW') {
    return `its binary log holds statements (binlog_format ${format}), which may do other things elsewhere; set binlog_format = ROW`;
  }
  if (id === '1') return 'its server_id is 1, as that of every server that nobody gave another; set one of its own';
  if (silent === '1') return 'MariaDB there listens on no address; take skip_networking away';
  const [filters] = await client.table('SHOW MASTER STATUS;', doing, ctx.signal);
  if ((filters?.['Binlog_Do_DB'] ?? '') !== '' || (filters?.['Binlog_Ignore_DB'] ?? '') !== '') {
    return 'its binary log leaves out databases; take binlog_do_db and binlog_ignore_db away';
  }
  const [tables] = await client.query(selectDumpable(database), doing, ctx.signal);
  const unsafe = Number(tables?.[1] ?? 0);
  if (unsafe > 0) return `${unsafe} of its tables know no transactions; ALTER TABLE … ENGINE=InnoDB gives them some`;
  if (Number(events ?? 0) > 0) return `${events} of its events would run on both servers; disable them`;
  return undefined;
}

/** FILE:POSITION. */
async function endOfLog(client: Client, doing: string, ctx: ActionContext): Promise<string> {
  const [status] = await client.table('SHOW MASTER STATUS;', doing, ctx.signal);
  return `${status?.['File'] ?? ''}:${status?.['Position'] ?? ''}`;
}
