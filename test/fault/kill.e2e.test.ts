// Row 4: master and agents die by SIGKILL at every boundary of install and delete, and of an install that is undone, several
// of them in each; afterwards there is exactly one site, or none and nothing of it, and the task's story is whole. The
// boundaries are found by watching a run, so none is left out. Machines side by side share the work. `npm test` has each process
// die twice in each of the three.
import { expect, test } from 'vitest';
import { type Change, createRig, DELETE, DOOMED, INSTALL, PROCESSES, type Rig } from './rig.ts';
import { type Strike, strikesAt, takeJoint, tell } from './strikes.ts';

const SHARDS = 2;
/** Deaths of each process in one task. */
const AT_ONCE = 4;
const FEW_AT_ONCE = 2;
const BACK = (boundary: string) => /^task\.undo|:remove-/.test(boundary);
const MOST_FAILURES = 5;

test('at a few boundaries', async () => {
  const rig = await createRig();
  try {
    for (const change of [INSTALL, DELETE, DOOMED]) {
      const boundaries = rig.boundaries(change);
      const all = PROCESSES.flatMap((name) =>
        strikesAt('kill', name, boundaries.get(name) ?? [], change === DOOMED ? BACK : undefined),
      );
      const strikes = takeJoint(all, boundaries, FEW_AT_ONCE);
      const ends = { went: 0, undone: 0 };
      const missed = await one(rig, change, strikes, ends);
      console.log(`${change.verb}, ${ends.went > 0 ? 'done' : 'undone'}: ${tell(strikes)}`);
      const dead = new Set(strikes.filter((strike) => !missed.includes(strike)).map(({ name }) => name));
      expect([...dead].sort(), `never came to ${tell(missed)}`).toEqual([...PROCESSES].sort());
    }
  } finally {
    await rig.close();
  }
});

test.concurrent.each(Array.from({ length: SHARDS }, (_, shard) => ({ shard })))(
  'at every boundary, part $shard',
  { tags: ['deep'], timeout: 4 * 3_600_000 },
  async ({ shard }) => {
    const rig = await createRig();
    try {
      const of = (change: Change, filter?: (boundary: string) => boolean): Strike[] => {
        const all = PROCESSES.map((name) => strikesAt('kill', name, rig.boundaries(change).get(name) ?? [], filter));
        for (const each of all) expect(each.length).toBeGreaterThan(5);
        return all.flat().filter((_, index) => index % SHARDS === shard);
      };
      const left = new Map([
        [INSTALL, of(INSTALL)],
        [DELETE, of(DELETE)],
        [DOOMED, of(DOOMED, BACK)],
      ]);
      const planned = [...left.values()].flat().length;
      const ends = { tasks: 0, deaths: 0, went: 0, undone: 0 };
      const failures: string[] = [];
      const alone: { readonly change: Change; readonly strike: Strike }[] = [];
      const strike = async (change: Change, strikes: readonly Strike[]): Promise<void> => {
        ends.tasks += 1;
        try {
          const missed = await one(rig, change, strikes, ends);
          ends.deaths += strikes.length - missed.length;
          if (strikes.length > 1) alone.push(...missed.map((each) => ({ change, strike: each })));
          else if (missed.length > 0) throw new Error('it never came to that');
        } catch (error) {
          failures.push(`${change.verb}, ${tell(strikes)}: ${error instanceof Error ? error.message : String(error)}`);
          if (failures.length > MOST_FAILURES) throw new Error(failures.join('\n'));
        }
      };
      // A delete needs a site, and a site's end needs a delete: each round strikes one of all.
      while ([...left.values()].some((each) => each.length > 0)) {
        for (const [change, each] of left) {
          const strikes = takeJoint(each, rig.boundaries(change), AT_ONCE);
          if (strikes.length > 0) await strike(change, strikes);
        }
      }
      for (const each of alone) await strike(each.change, [each.strike]);
      expect(failures).toEqual([]);
      expect(ends.deaths).toBe(planned);
      console.log(
        `part ${shard + 1} of ${SHARDS}: ${ends.deaths} deaths in ${ends.tasks} tasks, ${ends.went} went through, ` +
          `${ends.undone} were undone`,
      );
    } finally {
      await rig.close();
    }
  },
);

/** Answers what it never came to. */
async function one(
  rig: Rig,
  change: Change,
  strikes: readonly Strike[],
  ends: { went: number; undone: number },
): Promise<readonly Strike[]> {
  if ((await rig.hasSite()) !== (change === DELETE)) await rig.succeed(change === DELETE ? INSTALL : DELETE);
  const { done, missed } = await rig.struck(change, strikes);
  const { state, reason } = done.task;
  if (change === DELETE) expect(state, reason).toBe('succeeded');
  else if (change === DOOMED) {
    expect(state, reason).toBe('failed');
    expect(reason).toMatch(/500/);
  } else expect(['succeeded', 'failed', 'cancelled']).toContain(state);
  if (state === 'succeeded') ends.went += 1;
  else ends.undone += 1;
  if (change === INSTALL && state === 'succeeded') await rig.expectOneSite();
  else await rig.expectNoSite();
  return missed;
}
