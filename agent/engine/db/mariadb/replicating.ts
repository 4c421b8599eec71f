// The capability replicate of MariaDB, on both sides: changes travel as parts, from one agent to the other.
import { AegirError } from '../../../../shared/error.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext, Change, ReplicatingByParts } from '../../engine.ts';
import { assertOwnNames, namesOf } from '../site-names.ts';
import { applyChanges } from './apply-changes.ts';
import { type Client, createClient } from './client.ts';
import { MARIADB } from './dialect.ts';
import { endOfLog, readChanges } from './lead.ts';
import { forgetFollowing, selectFollowing } from './sql.ts';
import { statement } from './statement.ts';

export function createReplicating(): ReplicatingByParts {
  return {
    replicates: 'by parts',

    async endOfChanges(_service, spec, ctx) {
      assertOwnNames(spec);
      const { client } = await serverOf(ctx.host, `let another server follow database ${spec.database}`);
      return endOfLog(client, spec.database, ctx);
    },

    async *changes(_service, spec, position, ctx, tell) {
      assertOwnNames(spec);
      const { client } = await serverOf(ctx.host, `read what changed in database ${spec.database}`);
      yield* readChanges(client, spec.database, position, ctx, tell);
    },

    async applyChanges(_service, spec, from, changes, ctx) {
      assertOwnNames(spec);
      const { daemon } = await serverOf(ctx.host, `take changes of database ${spec.database}`);
      return applyChanges(daemon, spec, from, changes, ctx);
    },

    async endFollowing(_service, spec, ctx) {
      assertOwnNames(spec);
      const doing = `end following of database ${spec.database}`;
      const { client } = await serverOf(ctx.host, doing);
      await client.query(forgetFollowing(spec.siteId), doing, ctx.signal);
    },
  };
}

/** For a site that goes. */
export async function planNoFollowing(client: Client, siteId: string, ctx: ActionContext): Promise<readonly Change[]> {
  const { database } = namesOf(siteId);
  const summary = `end following of database ${database}`;
  const [there] = await client.query(selectFollowing(siteId), summary, ctx.signal);
  return there === undefined ? [] : [statement(client, summary, forgetFollowing(siteId))];
}

async function serverOf(host: Host, doing: string): Promise<{ readonly client: Client; readonly daemon: Daemon }> {
  const daemon = await host.daemon(MARIADB.name);
  if (daemon !== undefined) return { client: createClient(host, daemon, MARIADB), daemon };
  const why = whyMissing(host, `MariaDB is not installed on this server; install ${MARIADB.serverPackage}`);
  throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
}
