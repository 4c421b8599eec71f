// A database that another PostgreSQL follows by logical replication: whether it can, and what is there for the time of it:
// an account for the follower alone, a publication of its tables, and a slot, which the dump makes. A slot that nobody
// reads keeps the write-ahead log until the disk is full, so the account, by which all of it is found, goes last.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { allowedHost, namesOf } from '../site-names.ts';
import { type Access, planAccess, planNoAccess } from './access.ts';
import type { Client } from './client.ts';
import { lookAtDatabase, lookAtRole } from './look.ts';
import { isOfPassword, scramVerifier } from './scram.ts';
import { createFollower, dropFollowing, dropSlots, endFollower, literal, setFollower } from './sql.ts';
import { statement } from './statement.ts';
import { publishTables, type Structure, selectStructure, unpublish } from './structure.ts';

export interface Follower {
  readonly addresses: readonly string[];
  readonly password: string;
}

/** Where a slot begins is what its dump has: named after the structure at that time, it is taken for no other one. */
export const isSlotOf = (siteId: string, slot: string): boolean =>
  slot.startsWith(`${namesOf(siteId).follower}_`) && /^[0-9a-f]{16}_[0-9a-f]{8}$/.test(slot.slice(19));
export const stampOf = (slot: string): string => slot.slice(19, 35);

/** A transaction of its own: what was committed before it lies before it, also on the disk. */
const END = `SELECT to_json(pg_logical_emit_message(true, 'aegir', ''));`;
const NOW = 'SELECT to_json(pg_current_wal_lsn());';
const OLDEST = 150_000;

interface Server {
  readonly version: number;
  readonly level: string;
  readonly listens: string;
  readonly tls: boolean;
  readonly senders: number;
  readonly slots: number;
  readonly ours: readonly { readonly name: string; readonly active: boolean }[];
}

/** Makes what is needed, unless preview; answers where the write-ahead log ends. Throws failed_precondition, with why. */
export async function openReplica(
  access: Access,
  spec: DbSpec,
  follower: Follower,
  preview: boolean,
  ctx: ActionContext,
): Promise<string> {
  const { client } = access;
  const { siteId, database } = spec;
  const doing = `let another server follow database ${database}`;
  const from = [...new Set(follower.addresses.map(allowedHost))].filter((host) => host !== 'localhost');
  const { signal } = ctx;
  const server = await lookAtServer(client, siteId, doing, ctx);
  const why = obstacleOfServer(server) ?? obstacleOf(await lookAtStructure(client, spec, doing, ctx), server);
  if (why !== undefined) throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`, { untouched: true });
  if (preview) return String((await client.query(NOW, doing, { signal }))[0]);
  for (const change of await planFollower(access, spec, from, follower.password, server.tls, ctx)) {
    await change.run(ctx);
    ctx.failpoint('agent.db.follower-let-in');
  }
  // The slot is of what was published when it was made: nothing may come to that later.
  if (server.ours.length === 0) await publish(client, spec, doing, ctx);
  ctx.failpoint('agent.db.published');
  return String((await client.query(END, doing, { signal }))[0]);
}

export async function publish(client: Client, spec: DbSpec, doing: string, { signal }: ActionContext): Promise<void> {
  const { siteId, database } = spec;
  await client.query(publishTables(namesOf(siteId).follower), doing, { database, signal });
}

export async function lookAtStructure(client: Client, spec: DbSpec, doing: string, { signal }: ActionContext) {
  const { siteId, database } = spec;
  const [found] = await client.query(selectStructure(namesOf(siteId).follower), doing, { database, signal });
  return found as Structure;
}

/** Whether another server follows it, or did: its account is there, or a slot of a name of ours. */
export async function slotsOf(client: Client, siteId: string, doing: string, ctx: ActionContext) {
  return (await lookAtServer(client, siteId, doing, ctx)).ours;
}

/** Takes all of it back, whatever is there, and ends who follows. */
export async function planNoReplica(access: Access, siteId: string, ctx: ActionContext): Promise<readonly Change[]> {
  const { client } = access;
  const { database, follower } = namesOf(siteId);
  const role = await lookAtRole(client, follower, database, ctx);
  const slots = await slotsOf(client, siteId, `look who follows database ${database}`, ctx);
  const leads = role?.replication === true;
  const changes: Change[] = [];
  if (leads || slots.length > 0) {
    const held = slots.length === 0 ? '' : ` and ${slots.length === 1 ? 'the slot' : `${slots.length} slots`} of it`;
    const summary = `end whoever follows database ${database} by ${follower}${held}`;
    changes.push(statement(client, summary, `${leads ? endFollower(follower) : ''}${dropSlots(follower)}`));
  }
  if (!leads) return changes;
  const there = await lookAtDatabase(client, database, ctx);
  const isIn = there?.allowsConnections === true && there.limit !== -2;
  if (isIn) changes.push(statement(client, `publish database ${database} no more`, unpublish(follower), database));
  return [
    ...changes,
    ...(await planNoAccess(access, follower, ctx)),
    statement(client, `drop user ${follower}`, dropFollowing(follower), isIn ? database : undefined),
  ];
}

async function planFollower(
  access: Access,
  { siteId, database }: DbSpec,
  from: readonly string[],
  password: string,
  tls: boolean,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { client } = access;
  const { follower } = namesOf(siteId);
  const found = await lookAtRole(client, follower, database, ctx);
  const changes: Change[] = [];
  const isIt =
    found?.login === true &&
    found.replication &&
    !found.superuser &&
    found.verifier !== null &&
    isOfPassword(found.verifier, password);
  if (!isIt) {
    const verifier = scramVerifier(password);
    const sql =
      found === undefined ? createFollower(follower, database, verifier) : setFollower(follower, database, verifier);
    changes.push(statement(client, `let another server follow by user ${follower}`, sql));
  }
  const replicates = tls ? 'hostssl' : 'host';
  return [...changes, ...(await planAccess(access, { database, user: follower, from, replicates }, ctx))];
}

async function lookAtServer(client: Client, siteId: string, doing: string, ctx: ActionContext): Promise<Server> {
  const { follower } = namesOf(siteId);
  const sql = `SELECT json_build_object('version', current_setting('server_version_num')::int,
  'level', current_setting('wal_level'), 'listens', current_setting('listen_addresses'),
  'tls', current_setting('ssl')::boolean,
  'senders', current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication),
  'slots', current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
  'ours', ARRAY (SELECT json_build_object('name', slot_name, 'active', active) FROM pg_replication_slots
    WHERE starts_with(slot_name, ${literal(`${follower}_`)})));`;
  const [found] = await client.query(sql, doing, { signal: ctx.signal });
  return found as Server;
}

/** Why it cannot be followed, and what to do about it. */
function obstacleOfServer(server: Server): string | undefined {
  const { version, level, listens, ours } = server;
  if (version < OLDEST) return 'PostgreSQL there is older than 15; upgrade it';
  if (level !== 'logical') return `its wal_level is ${level}; set wal_level = logical, and restart it`;
  if (ours.length > 0) return undefined;
  if (server.senders < 1) return 'it has no more max_wal_senders; set a higher number, and restart it';
  if (server.slots < 1) return 'it has no more max_replication_slots; set a higher number, and restart it';
  if (listens === '') return 'PostgreSQL there listens on no address; set listen_addresses';
  return undefined;
}

function obstacleOf(structure: Structure, { ours }: Server): string | undefined {
  const { unlogged, views, objects, triggers, guarded, incomparable, stamp } = structure;
  const some = (count: number, what: string, whats: string) => `${count} ${count === 1 ? what : whats}`;
  if (objects > 0) return `it has ${some(objects, 'large object', 'large objects')}, which do not travel that way`;
  if (views > 0) {
    return `it has ${some(views, 'materialized view', 'materialized views')}, whose content does not travel that way`;
  }
  if (unlogged > 0)
    return `${some(unlogged, 'of its tables is', 'of its tables are')} unlogged; ALTER TABLE … SET LOGGED`;
  if (triggers > 0)
    return `${some(triggers, 'trigger', 'triggers')} of it would run on both servers (ENABLE ALWAYS or REPLICA)`;
  if (guarded > 0) return `${some(guarded, 'of its tables has', 'of its tables have')} FORCE ROW LEVEL SECURITY`;
  if (incomparable > 0) {
    return `${some(incomparable, 'of its tables has', 'of its tables have')} no primary key, and values that cannot be compared; give it one`;
  }
  const changed = ours.length > 0 && (structure.unpublished > 0 || ours.some(({ name }) => stampOf(name) !== stamp));
  return changed ? 'its tables were changed since it was copied, which does not travel that way' : undefined;
}
