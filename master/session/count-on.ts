// A store that was brought back from a copy knows smaller generations than agents have seen, whose fences would refuse
// its orders: the master counts on from what they say. They may be lying. Each raise breaks all leases, and what was
// raised too far could never be raised again: how far and how often one server may raise is bounded, and told.
import type { ServerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import { createRateLimit } from './rate-limit.ts';
import type { SessionLog } from './status.ts';

export interface CountOnDeps {
  readonly store: Store;
  readonly log: SessionLog;
  now(): number;
}

/** Leases since the copy was made: more than all masters make in years. */
const MOST_AT_ONCE = 2 ** 32;
/** Of one server; then one in six hours. So one that lies is a million days from the end of exact numbers. */
const RAISES = 4;
const RAISES_PER_SECOND = 1 / (6 * 3600);
/** What numbers hold exactly, with room. */
const CEILING = 2n ** 52n;
/** Above that, it is more likely a lie than a copy. */
const STRANGE = 2 ** 24;

export function createCountOn({ store, log, now }: CountOnDeps) {
  const raises = createRateLimit({ burst: RAISES, perSecond: RAISES_PER_SECOND, now });

  return async (server: ServerRecord, highest: bigint): Promise<void> => {
    const facts = { server: server.id, name: server.name, generation: String(highest) };
    const alarm = async (why: string): Promise<void> => {
      log.error(facts, `${why}; if no store was restored, its agent lies: look at the server, and revoke it`);
      const what = { actor: `server ${server.name} (${server.id})`, method: 'agent generation' };
      await store.audit.append({ time: now(), ...what, subject: String(highest), outcome: 'resource_exhausted' });
    };
    if (highest > CEILING) return alarm('an agent says that it has seen an impossible generation');
    const wanted = Number(highest);
    const first = await store.tasks.epoch();
    for (let epoch = first; epoch < wanted; epoch = await store.tasks.epoch()) {
      if (!raises.take(server.id)) return alarm('an agent raises the generation too often: not counting on from there');
      await store.tasks.raiseEpoch(Math.min(wanted, epoch + MOST_AT_ONCE));
      log.warn(facts, 'the store is older than what this agent has seen, as after a restore from a copy: counting on');
    }
    if (wanted - first > STRANGE) await alarm('an agent says that it has seen a generation far above the last one');
  };
}
