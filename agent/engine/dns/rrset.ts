// What a zone holds, as sets of records of one name and type (RFC 2181 section 5), and edits of them. Pure.
import { presentationOrSame } from './rdata.ts';

export interface RRset {
  /** Lower case, no trailing dot. */
  readonly name: string;
  readonly type: string;
  /** Seconds; undefined where a provider does not tell it. */
  readonly ttl: number | undefined;
  /** As presentation() has it, sorted, each once. */
  readonly data: readonly string[];
}

/** One set of records as it must be found, and as it is then. undefined: none. */
export interface Edit {
  readonly name: string;
  readonly type: string;
  readonly before: RRset | undefined;
  readonly after: RRset | undefined;
}

export interface Contents {
  get(name: string, type: string): RRset | undefined;
  at(name: string): readonly RRset[];
  all(): readonly RRset[];
}

export interface RecordRead {
  readonly name: string;
  readonly type: string;
  readonly ttl: number | undefined;
  readonly data: string;
}

/** What a server makes by itself for signed zones: nobody's to judge. */
const OF_THE_SERVER = new Set(['RRSIG', 'NSEC', 'NSEC3', 'NSEC3PARAM', 'TYPE65534']);

export function contentsOf(records: Iterable<RecordRead>): Contents {
  const names = new Map<string, Map<string, { ttl: number | undefined; data: Set<string> }>>();
  for (const { name: written, type, ttl, data } of records) {
    if (OF_THE_SERVER.has(type)) continue;
    const name = written.toLowerCase().replace(/\.$/, '');
    const types = names.get(name) ?? new Map<string, { ttl: number | undefined; data: Set<string> }>();
    names.set(name, types);
    const set = types.get(type) ?? { ttl, data: new Set<string>() };
    types.set(type, set);
    set.data.add(presentationOrSame(type, data));
  }
  const at = (name: string): readonly RRset[] =>
    [...(names.get(name) ?? [])].map(([type, { ttl, data }]) => ({ name, type, ttl, data: [...data].sort() }));
  return {
    get: (name, type) => at(name).find((set) => set.type === type),
    at,
    all: () => [...names.keys()].flatMap(at),
  };
}

/** What it holds once the edits were made. */
export function contentsAfter(contents: Contents, edits: readonly Edit[]): Contents {
  const last = new Map(edits.map((edit) => [`${edit.name} ${edit.type}`, edit]));
  const kept = contents.all().filter(({ name, type }) => !last.has(`${name} ${type}`));
  const sets = [...kept, ...[...last.values()].flatMap(({ after }) => after ?? [])];
  return contentsOf(sets.flatMap(({ name, type, ttl, data }) => data.map((each) => ({ name, type, ttl, data: each }))));
}

export function sameData(one: RRset | undefined, other: RRset | undefined): boolean {
  return JSON.stringify(one?.data ?? []) === JSON.stringify(other?.data ?? []);
}

/** One edit for each set: what was before the first and what is after the last. */
export function mergeEdits(edits: readonly Edit[]): readonly Edit[] {
  const merged = new Map<string, Edit>();
  for (const edit of edits) {
    const key = `${edit.name} ${edit.type}`;
    merged.set(key, { ...edit, before: (merged.get(key) ?? edit).before });
  }
  return [...merged.values()];
}
