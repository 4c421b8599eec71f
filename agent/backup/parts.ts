// The kind of objects that parts of sites travel as. What a grant's name begins with says who has it: snapshots, or a store
// of backups. Where a part goes is the business of the action that fetches it.
import { AegirError } from '../../shared/error.ts';
import type { CheckedGrant } from '../mesh/grant.ts';
import type { GivenChunks, ObjectKind } from '../mesh/objects.ts';

/** The word in grants. */
export const PART_KIND = 'part';

/** Who gives parts whose names begin with prefix, as "snapshot/". */
export interface PartSources {
  readonly prefix: string;
  /** rest: the name after the prefix, not checked for anything. undefined when there is none. Whoever asked closes it. */
  give(rest: string, grant: CheckedGrant): Promise<GivenChunks | undefined>;
}

export function createPartKind(sources: readonly PartSources[]): ObjectKind {
  return {
    kind: PART_KIND,
    give: async (grant) => {
      const source = sources.find(({ prefix }) => grant.name.startsWith(prefix));
      return source?.give(grant.name.slice(source.prefix.length), grant);
    },
    take: async () => {
      throw new AegirError(
        'failed_precondition',
        'cannot receive a part of a site: only an order to store or to restore it says where it goes',
      );
    },
  };
}

/** For orders that fetch parts: a grant for anything else is not for them. */
export function checkPartGrant({ kind, name }: CheckedGrant): void {
  if (kind === PART_KIND) return;
  throw new AegirError('permission_denied', `cannot fetch a part of a site: the grant is for ${kind} ${name}`);
}
