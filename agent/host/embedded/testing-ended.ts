// For tests: whether processes that were told to end did, once the kernel got round to it.
import { processFacts } from '../proc.ts';
import { waitUntil } from '../wait.ts';

const PATIENCE_MS = 10_000;

/** Ended is also what nobody has waited for yet. A busy machine takes a moment for what was killed to be dead. */
export function haveEnded(pids: readonly number[]): Promise<boolean> {
  return waitUntil(async () => {
    const facts = await Promise.all(pids.map(processFacts));
    return facts.every((one) => one === undefined || one.state === 'Z' || one.state === 'X');
  }, PATIENCE_MS);
}
