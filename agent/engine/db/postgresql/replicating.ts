// The capability replicate of PostgreSQL, on both sides.
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { type ActionContext, type Change, type ReplicatingByServers, runChanges } from '../../engine.ts';
import { allowedHost, assertOwnNames, namesOf } from '../site-names.ts';
import type { Access } from './access.ts';
import { planNoFollowing, startFollowing, statusOf } from './follow.ts';
import { openReplica, planNoReplica } from './lead.ts';
import { literal } from './sql.ts';

/** accessTo: to the service's server, or throws why there is none. */
export function createReplicating(
  accessTo: (service: ServiceRef, doing: string, ctx: ActionContext) => Promise<Access>,
): ReplicatingByServers {
  return {
    replicates: 'by servers',

    async openReplica(service, spec, follower, preview, ctx) {
      assertOwnNames(spec);
      const access = await accessTo(service, `let another server follow database ${spec.database}`, ctx);
      const position = await openReplica(access, spec, follower, preview, ctx);
      return { position, running: false, caughtUp: false, error: '' };
    },

    async closeReplica(service, spec, ctx) {
      assertOwnNames(spec);
      const access = await accessTo(service, `end the following of database ${spec.database}`, ctx);
      await runChanges(await planNoReplica(access, spec.siteId, ctx), ctx);
    },

    async follow(service, spec, { address, port, password }, verb, position, ctx) {
      assertOwnNames(spec);
      const access = await accessTo(service, `follow database ${spec.database}`, ctx);
      const leader = { address: allowedHost(address), port, password };
      if (verb === 'start') return startFollowing(access, spec, leader, position, ctx);
      const none = { position: '', running: false, caughtUp: false, error: '' };
      if (verb === 'status') {
        return (await statusOf(access, spec, leader, position, ctx)) ?? { ...none, error: 'it follows nobody' };
      }
      await runChanges(await planNoFollowing(access, spec.siteId, ctx), ctx);
      return none;
    },
  };
}

/** For a site that neither leads nor follows any more: one that goes, or one that a move left so. */
export async function planNoReplication(
  access: Access,
  siteId: string,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const { database, follower } = namesOf(siteId);
  // Of nearly every site there is nothing: one question tells.
  const look = `SELECT to_json(true) WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(follower)})
  OR EXISTS (SELECT FROM pg_replication_slots WHERE starts_with(slot_name, ${literal(`${follower}_`)}));`;
  const [isThere] = await access.client.query(look, `look how database ${database} follows`, { signal: ctx.signal });
  if (isThere !== true) return [];
  return [...(await planNoReplica(access, siteId, ctx)), ...(await planNoFollowing(access, siteId, ctx))];
}
