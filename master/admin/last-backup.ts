// A backup of a site before something of it goes for good: where it goes, and its record to be.
import { AegirError } from '../../shared/error.ts';
import { policyOf } from '../graph/backup-policy.ts';
import type { Graph } from '../graph/graph.ts';
import { chooseStore, hasStore } from '../graph/stores.ts';
import type { LastBackup } from '../plan/change-site.ts';
import type { SiteRecord } from '../store/model.ts';
import { requireMesh } from './backup-new.ts';
import type { AdminDeps } from './deps.ts';
import { sizesOf } from './site-sizes.ts';

export interface BackupWish {
  /** The file service that is named; '' for none. */
  readonly service: string;
  readonly noBackup: boolean;
  /** What for, and how it is done without: "delete it by --no-backup". */
  readonly doing: string;
  readonly without: string;
  /** Without a word of anybody: to any store that there is, or to the one of the site's policy alone. */
  readonly usual: 'any' | 'policy';
}

/**
 * Where the last backup of a site goes: to the service that is named, or another; undefined when none is named and there is
 * no place for backups at all, or no mesh to bring it. Throws when both a service and none are asked for.
 */
export async function lastBackup(deps: AdminDeps, ref: string, wish: BackupWish) {
  const { service, usual } = wish;
  if (wish.noBackup && service !== '') {
    throw new AegirError(
      'invalid_argument',
      `cannot ${wish.doing} ${ref} without a last backup, and with one on ${service}: say only one of the two`,
    );
  }
  if (service !== '') requireMesh(deps);
  if (wish.noBackup || deps.facts.meshState() === 'off') return undefined;
  const policies = await deps.store.backupPolicies.find();
  const sizes = await sizesOf(deps, ref);
  const id = deps.newId('bak');
  return (graph: Graph, site: SiteRecord): LastBackup | undefined => {
    const wanted = policyOf(policies, site.id).serviceId;
    const has = usual === 'any' ? hasStore(graph, wanted) : wanted !== null;
    if (service === '' && !has) return undefined;
    const store = chooseStore(graph, service, wanted, `the last backup of ${site.name}, or ${wish.without}`);
    return { id, store, sizes };
  };
}
