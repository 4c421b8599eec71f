// Row 4: master and agents die by SIGKILL at every boundary of install and delete, and of an install that is undone;
// afterwards there is exactly one site, or none and nothing of it, and the task's story is whole. The boundaries are found
// by watching a run, so none is left out. Machines side by side share the work.
import { expect, test } from 'vitest';
import type { ProcessName } from '../e2e/machine.ts';
import { createRig, DELETE, DOOMED, INSTALL, type Rig } from './rig.ts';

interface Shard {
  readonly name: ProcessName;
  /** This one takes every `of`th boundary, beginning with `at`. */
  readonly at: number;
  readonly of: number;
}

const shards: readonly Shard[] = [
  { name: 'master', at: 0, of: 2 },
  { name: 'master', at: 1, of: 2 },
  { name: 'web1', at: 0, of: 2 },
  { name: 'web1', at: 1, of: 2 },
  { name: 'db1', at: 0, of: 1 },
];

interface Ends {
  went: number;
  undone: number;
}

test.concurrent.each(shards)(
  '$name dies at every boundary, part $at of $of',
  async ({ name, at, of }) => {
    const rig = await createRig();
    try {
      const mine = (all: readonly string[]) => all.filter((_, index) => index % of === at);
      const installs = mine(rig.boundaries(INSTALL, name));
      const deletes = mine(rig.boundaries(DELETE, name));
      const undos = mine(rig.boundaries(DOOMED, name).filter((each) => /^task\.undo|:remove-/.test(each)));
      expect(installs.length).toBeGreaterThan(5);
      expect(deletes.length).toBeGreaterThan(5);
      expect(undos.length).toBeGreaterThan(5);

      const ends: Ends = { went: 0, undone: 0 };
      const failures: string[] = [];
      const attempt = async (what: string, work: () => Promise<void>) => {
        try {
          await work();
        } catch (error) {
          failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
          if (failures.length > 5) throw new Error(failures.join('\n'));
        }
      };
      // A delete needs a site, and a site's end needs a delete: each round kills one of both.
      for (let i = 0; i < Math.max(installs.length, deletes.length); i++) {
        await attempt(`install, ${installs[i] ?? 'unharmed'}`, () => oneInstall(rig, name, installs[i], ends));
        await attempt(`delete, ${deletes[i] ?? 'unharmed'}`, () => oneDelete(rig, name, deletes[i], ends));
      }
      for (const boundary of undos) {
        await attempt(`undo, ${boundary}`, async () => {
          const { task } = await rig.killed(DOOMED, name, boundary);
          expect(task.state, task.reason).toBe('failed');
          expect(task.reason).toMatch(/500/);
          await rig.expectNoSite();
          ends.undone += 1;
        });
      }
      expect(failures).toEqual([]);
      console.log(
        `${name} ${at + 1}/${of}: killed ${installs.length} installs, ${deletes.length} deletes, ${undos.length} undos; ` +
          `${ends.went} went through, ${ends.undone} were undone`,
      );
    } finally {
      await rig.close();
    }
  },
  1_200_000,
);

async function oneInstall(rig: Rig, name: ProcessName, boundary: string | undefined, ends: Ends): Promise<void> {
  if (boundary === undefined) return rig.succeed(INSTALL);
  const { task } = await rig.killed(INSTALL, name, boundary);
  if (task.state === 'succeeded') {
    ends.went += 1;
    return rig.expectOneSite();
  }
  expect(['failed', 'cancelled']).toContain(task.state);
  ends.undone += 1;
  return rig.expectNoSite();
}

async function oneDelete(rig: Rig, name: ProcessName, boundary: string | undefined, ends: Ends): Promise<void> {
  if (!(await rig.hasSite())) await rig.succeed(INSTALL);
  if (boundary === undefined) await rig.succeed(DELETE);
  else {
    const { task } = await rig.killed(DELETE, name, boundary);
    expect(task.state, task.reason).toBe('succeeded');
    ends.went += 1;
  }
  await rig.expectNoSite();
}
