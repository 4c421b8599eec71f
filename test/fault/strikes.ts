// What befalls processes in a test of crashes, and which of it can befall them in one and the same run: far enough apart that
// each is struck again only when it has gone on.
import type { ProcessName } from '../e2e/machine.ts';

/** What befalls a process when it comes to a boundary; pause: it stands there while something else happens. */
export interface Strike {
  readonly what: 'kill' | 'pause';
  readonly name: ProcessName;
  /** NAME#N of boundariesOf. */
  readonly boundary: string;
  /** Its place among the boundaries of the process, from 0. */
  readonly at: number;
}

/** Lines for setTraps. */
export type Traps = ReadonlyMap<ProcessName, readonly string[]>;

/** Between two strikes at one process there are as many boundaries, so that what it does again is not counted. */
const LEAST_APART = 8;

export function strikesAt(
  what: Strike['what'],
  name: ProcessName,
  boundaries: readonly string[],
  filter: (boundary: string) => boolean = () => true,
): Strike[] {
  return boundaries.flatMap((boundary, at) => (filter(boundary) ? [{ what, name, boundary, at }] : []));
}

/** Takes up to `most` for each process out of `left`, for one run. */
export function takeJoint(
  left: Strike[],
  boundaries: ReadonlyMap<ProcessName, readonly string[]>,
  most: number,
): Strike[] {
  const taken: Strike[] = [];
  for (const [name, all] of boundaries) {
    const apart = Math.max(LEAST_APART, Math.floor(all.length / most));
    let last: Strike | undefined;
    for (const each of left.filter((strike) => strike.name === name).toSorted((a, b) => a.at - b.at)) {
      // An action that is cut off is done again: its boundaries would be counted twice.
      if (last !== undefined && (each.at < last.at + apart || whatOf(each) === whatOf(last))) continue;
      last = each;
      taken.push(each);
      left.splice(left.indexOf(each), 1);
    }
  }
  return taken;
}

/** Of strikes for one run: times are counted anew after each. */
export function trapsOf(strikes: readonly Strike[], boundaries: ReadonlyMap<ProcessName, readonly string[]>): Traps {
  const traps = new Map<ProcessName, readonly string[]>();
  for (const [name, own] of Map.groupBy(strikes, (strike) => strike.name)) {
    const all = (boundaries.get(name) ?? []).map(nameOf);
    let from = 0;
    const lines = own.map(({ what, at }) => {
      const times = all.slice(from, at + 1).filter((each) => each === all[at]).length;
      from = at + 1;
      return `${what === 'pause' ? 'pause ' : ''}${all[at]}#${times}`;
    });
    traps.set(name, lines);
  }
  return traps;
}

export function tell(strikes: readonly Strike[]): string {
  return strikes
    .map(({ what, name, boundary }) => `${name} ${what === 'pause' ? 'stands' : 'dies'} at ${boundary}`)
    .join(', ');
}

function nameOf(boundary: string): string {
  return boundary.split('#', 1)[0] ?? '';
}

function whatOf({ boundary }: Strike): string {
  return nameOf(boundary).split(':')[1] ?? '';
}
