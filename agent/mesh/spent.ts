// What grants that were shown to a sender have been used for: how many bytes left under each, and whether it is used up.
import { AegirError } from '../../shared/error.ts';
import type { CheckedGrant } from './grant.ts';

export interface Spent {
  /** Throws when it is used up, or too many are known. */
  open(grant: CheckedGrant, now: number): void;
  /** Notes bytes that leave under it. Throws when they are far more than the object has. */
  send(grant: CheckedGrant, bytes: number): void;
  complete(grant: CheckedGrant): void;
}

interface Use {
  readonly until: number;
  bytes: number;
  complete: boolean;
}

const MAX_GRANTS = 10_000;
/** What is lost by cuts is sent again: a window for each. */
const AGAIN_BYTES = 256 * 1024 * 1024;

export function createSpent(): Spent {
  const uses = new Map<string, Use>();
  const forget = (now: number) => {
    for (const [id, { until }] of uses) if (until <= now) uses.delete(id);
  };
  return {
    open(grant, now) {
      const use = uses.get(grant.id);
      if (use?.complete === true) {
        // As one that has expired: a receiver that died after all had come does its order again, under another one.
        throw new AegirError('deadline_exceeded', 'cannot use the grant: it was used up; ask for another one');
      }
      if (use !== undefined) return;
      if (uses.size >= MAX_GRANTS) forget(now);
      if (uses.size >= MAX_GRANTS) {
        throw new AegirError('resource_exhausted', 'cannot use the grant: this agent knows too many; ask later', {
          retryable: true,
        });
      }
      uses.set(grant.id, { until: grant.expiresAt, bytes: 0, complete: false });
    },
    send(grant, bytes) {
      const use = uses.get(grant.id);
      if (use === undefined) return;
      use.bytes += bytes;
      if (use.bytes > 2 * grant.maxBytes + AGAIN_BYTES) {
        throw new AegirError(
          'resource_exhausted',
          'cannot send any more: the receiver asked for the same bytes again and again',
          { retryable: false },
        );
      }
    },
    complete(grant) {
      const use = uses.get(grant.id);
      if (use !== undefined) use.complete = true;
    },
  };
}
