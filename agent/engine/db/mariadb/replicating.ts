// The capability replicate of MariaDB, on both sides.
import { AegirError } from '../../../../shared/error.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { type ActionContext, type Change, type Replicating, runChanges } from '../../engine.ts';
import { assertOwnNames, namesOf } from '../site-names.ts';
import { type Client, createClient } from './client.ts';
import { MARIADB } from './dialect.ts';
import { isFollowing, startFollowing, statusOf, stopFollowing } from './follow.ts';
import { openReplica, planNoReplica } from './lead.ts';

export function createReplicating(): Replicating {
  return {
    async openReplica(_service, spec, follower, preview, ctx) {
      assertOwnNames(spec);
      const { client } = await serverOf(ctx.host, `let another server follow database ${spec.database}`);
      const position = await openReplica(client, MARIADB, spec, follower, preview, ctx);
      return { position, running: false, caughtUp: false, error: '' };
    },

    async closeReplica(_service, spec, ctx) {
      assertOwnNames(spec);
      const { client } = await serverOf(ctx.host, `end the following of database ${spec.database}`);
      await runChanges(await planNoReplica(client, MARIADB, spec.siteId, ctx), ctx);
    },

    async follow(_service, spec, leader, verb, position, ctx) {
      assertOwnNames(spec);
      const { client, daemon } = await serverOf(ctx.host, `follow database ${spec.database}`);
      if (verb === 'start') return startFollowing(client, daemon, spec, leader, position, ctx);
      if (verb === 'stop') await stopFollowing(client, daemon, spec, ctx);
      const none = { position: '', running: false, caughtUp: false, error: verb === 'stop' ? '' : 'it follows nobody' };
      return (await statusOf(client, spec.database, position, ctx)) ?? none;
    },
  };
}

/** For a site that goes: neither leads nor follows any more. */
export async function planNoReplication(siteId: string, ctx: ActionContext): Promise<readonly Change[]> {
  const { database, user } = namesOf(siteId);
  const { client, daemon } = await serverOf(ctx.host, `drop database ${database}`);
  const leading = await planNoReplica(client, MARIADB, siteId, ctx);
  if (!(await isFollowing(client, daemon, database, ctx))) return leading;
  const spec = { siteId, database, user, password: '', from: [], holdsContent: false, frozen: false };
  const summary = `end following of database ${database}`;
  return [{ summary, run: (change) => stopFollowing(client, daemon, spec, change) }, ...leading];
}

async function serverOf(host: Host, doing: string): Promise<{ readonly client: Client; readonly daemon: Daemon }> {
  const daemon = await host.daemon(MARIADB.name);
  if (daemon !== undefined) return { client: createClient(host, daemon, MARIADB), daemon };
  const why = whyMissing(host, `MariaDB is not installed on this server; install ${MARIADB.serverPackage}`);
  throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
}
