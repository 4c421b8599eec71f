// Row 2 of moves: master and agents die by SIGKILL at boundaries of a live migration, and the mesh node does while they
// stand there; several blows to a move, since a blow that finds nobody recovering is the easier one. Each run ends with the
// site moved or back where it was, on one web server and in one database, with all that visitors had written meanwhile,
// never both places taking words, and nothing left over. A move onto broken code, which is undone, is struck on its way back.
// Each makes a backup before it, which is there afterwards, once, or not at all.
// Boundaries are found by watching a run. `npm test` has each process die once or twice, on a way there and one back; the deep
// run takes a few of the backup and around the hold, where both places have the site, and of a move that is undone;
// AEGIR_FAULT=all takes every one, AEGIR_SHARDS machines side by side; AEGIR_FAULT=changes those where a database follows.
import { expect, test } from 'vitest';
import type { ProcessName } from '../e2e/machine.ts';
import { type Boundaries, createMoveRig, type End, type MoveRig, PROCESSES } from './move-rig.ts';
import { type Strike, strikesAt, takeJoint, tell } from './strikes.ts';

const ALL = ['all', 'changes'].includes(process.env['AEGIR_FAULT'] ?? '');
const ONLY = process.env['AEGIR_FAULT'] === 'changes' ? /replica\.|changes|follow|open-replica/ : /./;
/** Machines side by side, where all are taken. */
const SHARDS = ALL ? Number(process.env['AEGIR_SHARDS'] ?? '2') : 1;
/** Blows to each process in one move. */
const AT_ONCE = Number(process.env['AEGIR_BLOWS'] ?? '5');
const FEW_AT_ONCE = 2;
const AROUND_THE_HOLD =
  /:(backup\.(record|store)|store-backup|gate\.(hold|forward|close)|db\.freeze|site\.place|set-gate|apply-(http|db)|restore-(files|database)|replica\.finish|apply-changes)/;
/** Where bytes are about to travel: to lose the mesh at other steps is to lose nothing. */
const TRAVELS = /^agent\.action\.received:.*(snapshot|restore|apply-changes)/;
const STEP = /^task\.step\.intent:/;
const MOST_FAILURES = 10;

/** Where it can be struck: the master passes the same steps on the way to web1. */
type Way = 'there' | 'back' | 'undone';

test.skipIf(ALL)('struck at a few boundaries, a site ends at one place, whole', async () => {
  const rig = await createMoveRig(false);
  try {
    const failures: string[] = [];
    const dead = new Set<ProcessName>();
    const agents = PROCESSES.filter((name) => name !== 'master');
    const cuts = strikesAt('pause', 'master', rig.boundaries.get('master') ?? [], (boundary) => STEP.test(boundary));
    const there = [...killsAt(agents, rig.boundaries, aroundTheHold), ...cuts];
    const back = killsAt(['master'], rig.boundaries, aroundTheHold);
    for (const each of [back, there]) {
      if ((await rig.isAtWeb2()) !== (each === back)) await rig.move(each === there);
      const taken = takeJoint(each, rig.boundaries, FEW_AT_ONCE);
      try {
        const { end, missed } = await rig.struck(taken);
        console.log(`${end}: ${tell(taken)}${missed.length > 0 ? `; but never came to ${tell(missed)}` : ''}`);
        const struck = taken.filter((strike) => strike.what === 'kill' && !missed.includes(strike));
        for (const { name } of struck) dead.add(name);
      } catch (error) {
        failures.push(`${tell(taken)}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    expect(failures).toEqual([]);
    expect([...dead].sort()).toEqual([...PROCESSES].sort());
  } finally {
    await rig.close();
  }
});

test.concurrent.each(Array.from({ length: SHARDS }, (_, shard) => ({ shard })))(
  'struck at boundaries of moves, a site ends at one place, whole ($shard)',
  { tags: ['deep'], timeout: 4 * 3_600_000 },
  async ({ shard }) => {
    const rig = await createMoveRig(true);
    try {
      const all = strikes(rig);
      if (ALL && shard === 0) tellCounts(all);
      const left = new Map(
        [...all].map(([way, each]) => [way, each.filter((_, index) => index % SHARDS === shard)] as const),
      );
      const ends = new Map<string, Record<End, number>>();
      const failures: string[] = [];
      let blows = 0;
      /** Where those before it had led elsewhere: each is then alone. */
      const alone: { readonly way: Way; readonly strike: Strike }[] = [];
      const strike = async (way: Way, taken: readonly Strike[]): Promise<void> => {
        const began = performance.now();
        const said = (text: string) =>
          ALL && console.log(`${Math.round((performance.now() - began) / 1000)} s, ${way}: ${text}`);
        try {
          const { end, missed } = await rig.struck(taken, way === 'undone');
          blows += taken.length - missed.length;
          const counts = ends.get(way) ?? { moved: 0, back: 0 };
          ends.set(way, { ...counts, [end]: counts[end] + 1 });
          said(`${end}: ${tell(taken)}${missed.length > 0 ? `; but never came to ${tell(missed)}` : ''}`);
          if (taken.length > 1) alone.push(...missed.map((each) => ({ way, strike: each })));
          else if (missed.length > 0) failures.push(`${way}: it never came to ${tell(missed)}`);
        } catch (error) {
          failures.push(`${way}: ${tell(taken)}: ${error instanceof Error ? error.message : String(error)}`);
          said(`FAILED ${failures.at(-1)}`);
        }
      };
      const of = (way: Way): Boundaries => (way === 'undone' ? rig.doomed : rig.boundaries);
      for (let turn = 0; failures.length <= MOST_FAILURES; turn++) {
        const atWeb2 = await rig.isAtWeb2();
        const here = (way: Way) => (way === 'back') === atWeb2;
        const waysLeft = [...left].filter(([, each]) => each.length > 0).map(([way]) => way);
        const ways = waysLeft.filter(here);
        const way = ways[turn % ways.length];
        if (way !== undefined) {
          await strike(way, takeJoint(left.get(way) ?? [], of(way), AT_ONCE));
          continue;
        }
        if (waysLeft.length === 0 && alone.length === 0) break;
        const [one] = waysLeft.length > 0 ? [] : alone.splice(alone.findIndex((each) => here(each.way)) >>> 0, 1);
        if (one === undefined) await rig.move(!atWeb2);
        else await strike(one.way, [one.strike]);
      }
      console.log(
        [...ends]
          .map(([way, { moved, back }]) => `${way}: ${moved + back} moves, ${moved} went through, ${back} went back`)
          .concat(`${blows} blows`)
          .join('; '),
      );
      expect(failures).toEqual([]);
      expect(blows).toBeGreaterThan(PROCESSES.length);
    } finally {
      await rig.close();
    }
  },
);

const aroundTheHold = (boundary: string) => AROUND_THE_HOLD.test(boundary);

function killsAt(
  names: readonly ProcessName[],
  boundaries: Boundaries,
  filter?: (boundary: string) => boolean,
): Strike[] {
  return names.flatMap((name) => strikesAt('kill', name, boundaries.get(name) ?? [], filter));
}

function tellCounts(all: ReadonlyMap<Way, readonly Strike[]>): void {
  for (const [way, strikes] of all) {
    const by = Map.groupBy(strikes, ({ what, name }) => (what === 'pause' ? `the mesh node at ${name}` : name));
    console.log(`${way}: ${[...by].map(([name, { length }]) => `${length} of ${name}`).join(', ')}`);
  }
}

function strikes(rig: MoveRig): ReadonlyMap<Way, Strike[]> {
  const kills = (names: readonly ProcessName[]) => killsAt(names, rig.boundaries, ALL ? undefined : aroundTheHold);
  const cuts = PROCESSES.flatMap((name) =>
    strikesAt('pause', name, rig.boundaries.get(name) ?? [], (boundary) =>
      name === 'master' ? STEP.test(boundary) : TRAVELS.test(boundary),
    ),
  );
  const agents = PROCESSES.filter((name) => name !== 'master');
  const undone = PROCESSES.flatMap((name) =>
    strikesAt('kill', name, rig.doomed.get(name) ?? []).filter(({ at }) => at >= (rig.before.get(name) ?? 0)),
  );
  const every = new Map<Way, Strike[]>([
    ['there', [...kills(agents), ...cuts]],
    ['back', kills(['master'])],
    ['undone', undone],
  ]);
  for (const [way, each] of every) {
    every.set(
      way,
      each.filter(({ boundary }) => ONLY.test(boundary)),
    );
  }
  if (ALL) return every;
  // One move each.
  for (const [way, each] of every)
    every.set(way, takeJoint(each, way === 'undone' ? rig.doomed : rig.boundaries, AT_ONCE));
  return every;
}
