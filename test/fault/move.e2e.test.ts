// Row 2 of moves: master and agents die by SIGKILL at boundaries of a live migration, and the mesh node does while they
// stand there. Each run ends with the site moved or back where it was, on one web server and in one database, with all
// that visitors had written meanwhile, never both places taking words, and nothing left over. Boundaries are found by
// watching a run. All of them take hours of one processor: by default a few around the hold, where both places have the site;
// AEGIR_FAULT=all takes every one, machines side by side.
import { expect, test } from 'vitest';
import type { ProcessName } from '../e2e/machine.ts';
import { createMoveRig, type End, type MoveRig, PROCESSES, type Strike } from './move-rig.ts';

const ALL = process.env['AEGIR_FAULT'] === 'all';
/** Machines side by side, where all are taken. */
const SHARDS = ALL ? Number(process.env['AEGIR_SHARDS'] ?? '4') : 1;
const AROUND_THE_HOLD =
  /:(gate\.(hold|forward|close)|db\.freeze|site\.place|set-gate|apply-(http|db)|restore-(files|database))/;
/** Where bytes are about to travel: to lose the mesh at other steps is to lose nothing. */
const TRAVELS = /^agent\.action\.received:.*(snapshot|restore)/;
const MOST_FAILURES = 20;

test.concurrent.each(Array.from({ length: SHARDS }, (_, shard) => ({ shard })))(
  'struck at boundaries of moves, a site ends at one place, whole ($shard)',
  async ({ shard }) => {
    const rig = await createMoveRig();
    try {
      const all = strikes(rig);
      if (ALL && shard === 0) tellCounts(all);
      const there = all.filter((_, index) => index % SHARDS === shard);
      expect(new Set(there.map(({ what, name }) => (what === 'mesh' ? 'mesh' : name)))).toEqual(
        new Set([...PROCESSES, 'mesh']),
      );
      const ends = new Map<string, Record<End, number>>();
      const failures: string[] = [];
      // The master passes the same steps on the way back: a move that went through is followed by such a one.
      const eitherWay = (each: Strike) => each.name === 'master';
      while (there.length > 0 && failures.length <= MOST_FAILURES) {
        const atWeb2 = await rig.isAtWeb2();
        const at = there.findIndex((each) => (atWeb2 ? eitherWay(each) : !eitherWay(each) || there.every(eitherWay)));
        const [strike] = at < 0 ? [] : there.splice(at, 1);
        if (strike === undefined) {
          await rig.move(!atWeb2);
          continue;
        }
        const { what, name, boundary } = strike;
        const label = `${what === 'mesh' ? 'mesh' : name}, ${atWeb2 ? 'back' : 'there'}`;
        const counts = ends.get(label) ?? { moved: 0, back: 0 };
        ends.set(label, counts);
        const began = performance.now();
        try {
          const end = await rig.struck(strike);
          counts[end] += 1;
          if (ALL)
            console.log(
              `${Math.round((performance.now() - began) / 1000)} s, ${there.length} to come, ${label}, ${boundary}: ${end}`,
            );
        } catch (error) {
          const text = `${what} ${name} at ${boundary}, ${atWeb2 ? 'back' : 'there'}: ${error instanceof Error ? error.message : String(error)}`;
          failures.push(text);
          if (ALL) console.log(`FAILED ${text}`);
        }
      }
      for (const [label, { moved, back: undone }] of [...ends].sort())
        console.log(`struck ${label}: ${moved + undone} moves, ${moved} went through, ${undone} went back`);
      expect(failures).toEqual([]);
    } finally {
      await rig.close();
    }
  },
  4 * 3_600_000,
);

function tellCounts(all: readonly Strike[]): void {
  const by = Map.groupBy(all, ({ what, name }) => (what === 'mesh' ? `mesh at ${name}` : name));
  console.log([...by].map(([name, { length }]) => `${length} of ${name}`).join(', '));
}

function strikes(rig: MoveRig): Strike[] {
  const all = [...rig.boundaries].flatMap(([name, boundaries]) => boundaries.map((boundary) => ({ name, boundary })));
  const kills = all.map((each): Strike => ({ what: 'kill', ...each }));
  const cuts = all
    .filter(({ name, boundary }) =>
      name === 'master' ? boundary.startsWith('task.step.intent:') : TRAVELS.test(boundary),
    )
    .map((each): Strike => ({ what: 'mesh', ...each }));
  if (ALL) return [...kills, ...cuts];
  const near = (name: ProcessName) => kills.filter((each) => each.name === name && AROUND_THE_HOLD.test(each.boundary));
  const inTheMiddle = <T>(of: readonly T[]): T[] => of.slice(Math.floor(of.length / 2), Math.floor(of.length / 2) + 1);
  return [
    ...PROCESSES.flatMap((name) => inTheMiddle(near(name))),
    ...inTheMiddle(cuts.filter(({ name }) => name !== 'master')),
  ];
}
