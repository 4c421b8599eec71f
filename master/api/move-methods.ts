// The methods of the Admin API about copies and moves of sites.
import { MoveServiceService as of } from '../../shared/gen/aegir/v1/move_admin.ts';
import { cloneSite } from '../admin/clone-site.ts';
import type { AdminDeps } from '../admin/deps.ts';
import { migrateSite } from '../admin/move.ts';
import { getMoveBatch, listMoveBatches, migrateMany, resumeMoveBatch, stopMoveBatch } from '../admin/move-batch.ts';
import type { Unary } from './methods.ts';

export function moveMethods(deps: AdminDeps): Record<string, Unary> {
  return {
    [of.cloneSite.path]: (caller, request) => cloneSite(deps, caller, request),
    [of.migrateSite.path]: (caller, request) => migrateSite(deps, caller, request),
    [of.migrateMany.path]: (caller, request) => migrateMany(deps, caller, request),
    [of.getMoveBatch.path]: (_, request) => getMoveBatch(deps, request),
    [of.listMoveBatches.path]: (_, request) => listMoveBatches(deps, request),
    [of.stopMoveBatch.path]: (_, request) => stopMoveBatch(deps, request),
    [of.resumeMoveBatch.path]: (_, request) => resumeMoveBatch(deps, request),
  };
}
