// A database that follows the one it was dumped from, by logical replication from another PostgreSQL: a subscription that
// goes on from the slot of the dump, takes rows of this database and no others, and leaves nothing behind.
import { AegirError } from '../../../../shared/error.ts';
import type { ReplicaFacts } from '../../../../shared/gen/aegir/v1/move.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import type { Access } from './access.ts';
import type { Client } from './client.ts';
import { isSlotOf } from './lead.ts';
import { askLeader, type Leader, placeOf } from './leader.ts';
import { lookAtDatabase, lookAtRole } from './look.ts';
import { createSubscription, dropFollowing, dropSubscription, literal } from './sql.ts';
import { statement } from './statement.ts';
import { FORGET_IDENTITIES, SEQUENCES, type Sequence, setSequences } from './structure.ts';

interface Found {
  readonly slot: string | null;
  readonly enabled: boolean;
  /** Null between two tries of a connection. */
  readonly pid: number | null;
  /** Everything before it is applied. */
  readonly at: string | null;
  readonly isThere: boolean;
  readonly errors: number;
}

/** A change that does not fit fails again and again; a connection that is cut fails once. */
const MOST_ERRORS = 3;
const OLDEST = 150_000;

/** Does nothing when it follows from that dump. */
export async function startFollowing(
  access: Access,
  spec: DbSpec,
  leader: Leader,
  position: string,
  ctx: ActionContext,
): Promise<ReplicaFacts> {
  const { client, daemon } = access;
  const { siteId, database, user } = spec;
  const doing = `follow database ${database}`;
  const refused = (why: string) =>
    new AegirError('failed_precondition', `cannot ${doing}: ${why}`, { untouched: true });
  const own = await lookAtServer(client, doing, ctx);
  if (own.version < OLDEST) throw refused('PostgreSQL here is older than 15; upgrade it');
  const found = await lookAtSubscription(client, spec, '', ctx);
  if (found?.enabled === true && (position === '' || found.slot === position)) return factsOf(found);
  if (!isSlotOf(siteId, position)) throw refused('its dump does not tell from where on it is to be followed');
  if (own.workers < 1)
    throw refused('it has no more max_logical_replication_workers; set a higher number, and restart it');
  if (own.origins < 1) throw refused('it has no more max_replication_slots; set a higher number, and restart it');
  const { tls, rows } = await askLeader(daemon, spec, leader, slotIs(position), ctx);
  if (rows[0] !== true) throw refused('the other server has no slot of that dump any more');
  for (const change of await planNoFollowing(access, siteId, ctx)) await change.run(ctx);
  ctx.failpoint('agent.db.following-cleared');
  const { follower } = namesOf(siteId);
  const conninfo = `${placeOf(spec, leader, tls)} password=${leader.password}`;
  await client.query(createSubscription(follower, user, position, conninfo), doing, { database, signal: ctx.signal });
  ctx.failpoint('agent.db.subscribed');
  ctx.log('info', `database ${database} follows ${leader.address} by slot ${position}${tls ? ' over TLS' : ''}`);
  return { position: '', running: true, caughtUp: false, error: '' };
}

/**
 * position: up to which it must have come to be caught up; empty for none. Sequences do not travel, so they are set then:
 * the other side stands still. undefined when it follows nobody.
 */
export async function statusOf(
  access: Access,
  spec: DbSpec,
  leader: Leader,
  position: string,
  ctx: ActionContext,
): Promise<ReplicaFacts | undefined> {
  const { client, daemon } = access;
  const { database } = spec;
  if (position !== '' && !/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(position)) {
    throw new AegirError('invalid_argument', `cannot follow database ${database}: that is no place in a log`);
  }
  const found = await lookAtSubscription(client, spec, position, ctx);
  if (found === undefined) return undefined;
  if (found.isThere) {
    const { rows } = await askLeader(daemon, spec, leader, SEQUENCES, ctx);
    const doing = `set the sequences of database ${database}`;
    if (rows.length > 0) await client.query(setSequences(rows as Sequence[]), doing, { database, signal: ctx.signal });
    return { ...factsOf(found), caughtUp: true };
  }
  // It tries again by itself, but finds nothing.
  if (found.pid === null && found.slot !== null && !(await hasSlot(access, spec, leader, found.slot, ctx))) {
    const error = 'the other server no longer has the changes since the dump; make the copy anew';
    return { ...factsOf(found), running: false, error };
  }
  return factsOf(found);
}

/** What has come stays. */
export async function planNoFollowing(access: Access, siteId: string, ctx: ActionContext): Promise<readonly Change[]> {
  const { client } = access;
  const { database, follower } = namesOf(siteId);
  const role = await lookAtRole(client, follower, database, ctx);
  // By the same name another server follows this one.
  if (role === undefined || role.replication) return [];
  const there = await lookAtDatabase(client, database, ctx);
  const isIn = there?.allowsConnections === true && there.limit !== -2;
  const drop = statement(client, `drop user ${follower}`, dropFollowing(follower), isIn ? database : undefined);
  if (!isIn) return [drop];
  const has = (await lookAtSubscription(client, { siteId, database }, '', ctx)) !== undefined;
  const sql = `${dropSubscription(follower, has)}${FORGET_IDENTITIES}`;
  return [statement(client, `end following of database ${database}`, sql, database), drop];
}

function slotIs(slot: string): string {
  return `SELECT to_json(EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${literal(slot)} AND coalesce(wal_status, '') <> 'lost'));`;
}

/** True also where the other server does not answer. */
async function hasSlot(access: Access, spec: DbSpec, leader: Leader, slot: string, ctx: ActionContext) {
  try {
    return (await askLeader(access.daemon, spec, leader, slotIs(slot), ctx)).rows[0] === true;
  } catch (thrown) {
    if (thrown instanceof AegirError && thrown.code === 'unavailable') return true;
    throw thrown;
  }
}

async function lookAtSubscription(
  client: Client,
  { siteId, database }: Pick<DbSpec, 'siteId' | 'database'>,
  position: string,
  ctx: ActionContext,
): Promise<Found | undefined> {
  const { follower } = namesOf(siteId);
  const sql = `SELECT json_build_object('slot', subslotname, 'enabled', subenabled, 'pid', w.pid, 'at', w.latest_end_lsn,
  'isThere', ${position === '' ? 'false' : `coalesce(w.pid IS NOT NULL AND w.latest_end_lsn >= ${literal(position)}::pg_lsn, false)`},
  'errors', (SELECT apply_error_count FROM pg_stat_subscription_stats e WHERE e.subid = s.oid))
FROM pg_subscription s LEFT JOIN pg_stat_subscription w ON w.subid = s.oid AND w.relid IS NULL
WHERE s.subname = ${literal(follower)} AND subdbid = (SELECT oid FROM pg_database WHERE datname = ${literal(database)});`;
  const [found] = await client.query(sql, `look how database ${database} follows`, { signal: ctx.signal });
  return found as Found | undefined;
}

async function lookAtServer(client: Client, doing: string, ctx: ActionContext) {
  const sql = `SELECT json_build_object('version', current_setting('server_version_num')::int,
  'workers', least(current_setting('max_logical_replication_workers')::int, current_setting('max_worker_processes')::int - 1)
    - (SELECT count(*) FROM pg_subscription WHERE subenabled),
  'origins', current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_origin));`;
  const [found] = await client.query(sql, doing, { signal: ctx.signal });
  return found as { readonly version: number; readonly workers: number; readonly origins: number };
}

function factsOf({ enabled, pid, at, errors }: Found): ReplicaFacts {
  const stopped = !enabled || (pid === null && errors >= MOST_ERRORS);
  const error = stopped ? 'a change of the other server does not fit here; make the copy anew' : '';
  return { position: at ?? '', running: !stopped, caughtUp: false, error };
}
