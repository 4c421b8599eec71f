// A database that follows the one it was dumped from, by the binary log of another MariaDB: a named connection that takes
// this database's changes and no others, and leaves nothing behind.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { ReplicaFacts } from '../../../../shared/gen/aegir/v1/move.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import { allowedHost, namesOf } from '../site-names.ts';
import type { Client } from './client.ts';
import { askLeader } from './leader.ts';
import { identifier, literal, unlogged } from './sql.ts';

export interface Leader {
  readonly address: string;
  readonly port: number;
  readonly password: string;
}

type Status = Readonly<Record<string, string>>;

const NONE: ReplicaFacts = { position: '', running: false, caughtUp: false, error: '' };

/** Does nothing when it follows that leader; goes on when it was interrupted. */
export async function startFollowing(
  client: Client,
  daemon: Daemon,
  spec: DbSpec,
  leader: Leader,
  position: string,
  ctx: ActionContext,
): Promise<ReplicaFacts> {
  const { database } = spec;
  const doing = `follow database ${database}`;
  const host = allowedHost(leader.address);
  const found = await connectionOf(client, database, ctx);
  const isIt = found !== undefined && found['Master_Host'] === host && found['Master_Port'] === String(leader.port);
  if (isIt && found['Slave_SQL_Running'] === 'Yes') return factsOf(found, '');
  const [, file, place] = /^([^:]+):([0-9]+)$/.exec(position) ?? [];
  if (file === undefined || place === undefined) {
    const why = `cannot ${doing}: its dump does not tell where the binary log was`;
    throw new AegirError('failed_precondition', why, { untouched: true });
  }
  const { tls } = await askLeader(client, spec, { ...leader, address: host }, ctx);
  if (found !== undefined) await stopFollowing(client, daemon, spec, ctx);
  // First: a connection outlives the server's restart, and what is set in the running server does not.
  const { files } = ctx.host;
  await files.write(filterFile(daemon, database), filters(database), { mode: 0o644 });
  ctx.failpoint('agent.db.filters-written');
  const name = literal(database);
  const { follower } = namesOf(spec.siteId);
  const change = `CHANGE MASTER ${name} TO MASTER_HOST = ${literal(host)}, MASTER_PORT = ${leader.port},
  MASTER_USER = ${literal(follower)}, MASTER_PASSWORD = ${literal(leader.password)}, MASTER_SSL = ${tls ? 1 : 0},
  MASTER_SSL_VERIFY_SERVER_CERT = 0, MASTER_LOG_FILE = ${literal(file)}, MASTER_LOG_POS = ${place},
  MASTER_USE_GTID = no, MASTER_CONNECT_RETRY = 2, MASTER_HEARTBEAT_PERIOD = 5;`;
  await client.query(unlogged(change), doing, ctx.signal);
  ctx.failpoint('agent.db.leader-set');
  const set = `SET GLOBAL ${identifier(database)}.replicate_do_db = ${name};
SET GLOBAL ${identifier(database)}.replicate_wild_do_table = ${literal(database).replaceAll('_', '\\_').replace(/'$/, ".%'")};
START SLAVE ${name};`;
  await client.query(set, doing, ctx.signal);
  ctx.log('info', `database ${database} follows ${host} from ${position}${tls ? ' over TLS' : ''}`);
  return (await statusOf(client, database, '', ctx)) ?? NONE;
}

/** position: up to which it must have come to be caught up; empty for none. undefined when it follows nobody. */
export async function statusOf(
  client: Client,
  database: string,
  position: string,
  ctx: ActionContext,
): Promise<ReplicaFacts | undefined> {
  const found = await connectionOf(client, database, ctx);
  return found === undefined ? undefined : factsOf(found, position);
}

/** What has come stays. */
export async function stopFollowing(client: Client, daemon: Daemon, spec: DbSpec, ctx: ActionContext): Promise<void> {
  const { database } = spec;
  const doing = `end following of database ${database}`;
  const found = await connectionOf(client, database, ctx);
  if (found !== undefined) {
    const name = literal(database);
    await client.query(`STOP SLAVE ${name};\nRESET SLAVE ${name} ALL;`, doing, ctx.signal);
    await forgetPosition(client, found['Master_Server_Id'] ?? '', doing, ctx);
  }
  ctx.failpoint('agent.db.leader-forgotten');
  await ctx.host.files.remove(filterFile(daemon, database));
}

/** Whether anything of following is there. */
export async function isFollowing(
  client: Client,
  daemon: Daemon,
  database: string,
  ctx: ActionContext,
): Promise<boolean> {
  if (await ctx.host.files.exists(filterFile(daemon, database))) return true;
  return (await connectionOf(client, database, ctx)) !== undefined;
}

/** The server keeps how far it came with each leader, for all its connections together: ours alone goes. */
async function forgetPosition(client: Client, leaderId: string, doing: string, ctx: ActionContext): Promise<void> {
  const others = await client.table('SHOW ALL SLAVES STATUS;', doing, ctx.signal);
  const [row] = await client.query('SELECT @@global.gtid_slave_pos;', doing, ctx.signal);
  const places = (row?.[0] ?? '').split(',').filter((each) => each !== '');
  if (others.length > 0 || places.length === 0) return;
  if (places.every((place) => place.split('-')[1] === leaderId)) {
    await client.query("SET GLOBAL gtid_slave_pos = '';", doing, ctx.signal);
  }
}

async function connectionOf(client: Client, database: string, ctx: ActionContext): Promise<Status | undefined> {
  const all = await client.table('SHOW ALL SLAVES STATUS;', `look how database ${database} follows`, ctx.signal);
  return all.find((each) => each['Connection_name'] === database);
}

function filterFile({ includeDir }: Daemon, database: string): string {
  return join(includeDir, `aegir-follow-${database}.cnf`);
}

/** Both: a statement counts by the database that was in use, and by the tables that it names. */
function filters(database: string): string {
  return `# Written by Aegir, until ${database} no longer follows another server.
[mariadbd]
${database}.replicate_do_db = ${database}
${database}.replicate_wild_do_table = ${database.replaceAll('_', '\\\\_')}.%
`;
}

function factsOf(status: Status, position: string): ReplicaFacts {
  const [io = '', sql = ''] = [status['Slave_IO_Running'], status['Slave_SQL_Running']];
  const at = `${status['Relay_Master_Log_File'] ?? ''}:${status['Exec_Master_Log_Pos'] ?? ''}`;
  return {
    position: at,
    running: sql === 'Yes' && io !== 'No',
    caughtUp: position !== '' && isAtLeast(at, position),
    error: errorOf(status),
  };
}

/** Files of one log are numbered. */
export function isAtLeast(at: string, wanted: string): boolean {
  const parse = (text: string) => /^(.*)\.([0-9]+):([0-9]+)$/.exec(text)?.slice(1) ?? ['', '-1', '-1'];
  const [name, file, place] = parse(at);
  const [wantedName, wantedFile, wantedPlace] = parse(wanted);
  if (name !== wantedName || name === '') return false;
  return Number(file) > Number(wantedFile) || (file === wantedFile && Number(place) >= Number(wantedPlace));
}

/** By number: their texts quote what sites wrote. */
function errorOf(status: Status): string {
  const [io, sql] = [Number(status['Last_IO_Errno'] ?? 0), Number(status['Last_SQL_Errno'] ?? 0)];
  if (sql !== 0) return `a change of the other server does not fit here (error ${sql}); make the copy anew`;
  const known: Readonly<Record<number, string>> = {
    1236: 'the other server no longer has the changes since the dump; make the copy anew',
    1593: 'both servers have the same server_id; give each one of its own',
    1045: 'the other server does not let it in any more',
    2002: 'the other server is not reached',
    2003: 'the other server is not reached',
    2005: 'the other server is not reached',
    2013: 'the other server ended the connection',
  };
  return io === 0 ? '' : (known[io] ?? `the connection to the other server failed (error ${io})`);
}
