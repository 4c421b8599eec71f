// The difference between what an owner wants of a zone and what the zone holds, as steps of one record each. Whatever is
// not the owner's stays as it is: where it is in the way, nothing is planned at all. Pure.
import { AegirError } from '../../../shared/error.ts';
import { followed, inPlace } from './in-place.ts';
import { GLUE, markedName, markName, marksIn, withMark } from './ownership.ts';
import { inWords } from './record.ts';
import { type Contents, type Edit, type RRset, sameData } from './rrset.ts';
import type { Wanted, WantedRecord, WantedSet } from './wanted.ts';

/** The edits of a step are one change of the zone: all of them or none. */
export interface Step {
  readonly summary: string;
  readonly edits: readonly Edit[];
}

const ADDRESSES: readonly string[] = ['A', 'AAAA'];

/** The steps that leave of the owner's exactly what is wanted, in order; each builds upon the one before. */
export function diffRecords(owner: string, wanted: Wanted, contents: Contents): readonly Step[] {
  const draft = createDraft(contents, owner);
  for (const name of wanted.names) refuseOthers(name, draft, wanted);
  const steps = wanted.records.flatMap((record) => setStep(record, draft, wanted));
  return [...steps, ...removeSteps(draft, wanted, contents)];
}

interface Draft {
  readonly owner: string;
  get(name: string, type: string): RRset | undefined;
  at(name: string): readonly RRset[];
  /** Types that the zone says are the owner's. */
  types(name: string): readonly string[];
  others(name: string): readonly { readonly owner: string; readonly types: readonly string[] }[];
  put(name: string, type: string, set: RRset | undefined): void;
  putTypes(name: string, types: readonly string[]): void;
  /** The edits since the last call. */
  take(): readonly Edit[];
  readonly contents: Contents;
}

/** The zone as it is after the steps so far. */
function createDraft(contents: Contents, owner: string): Draft {
  const changed = new Map<string, { readonly name: string; readonly type: string; readonly set: RRset | undefined }>();
  let edits: Edit[] = [];
  const get = (name: string, type: string): RRset | undefined => {
    const key = `${name} ${type}`;
    return changed.has(key) ? changed.get(key)?.set : contents.get(name, type);
  };
  const put = (name: string, type: string, set: RRset | undefined): void => {
    edits.push({ name, type, before: get(name, type), after: set });
    changed.set(`${name} ${type}`, { name, type, set });
  };
  const marks = (name: string) => marksIn(get(markName(name), 'TXT'));
  const types = (name: string): readonly string[] => [
    ...new Set(marks(name).flatMap((mark) => (mark.owner === owner ? mark.types : []))),
  ];
  return {
    owner,
    contents,
    get,
    put,
    at: (name) => {
      const here = new Set(contents.at(name).map(({ type }) => type));
      for (const each of changed.values()) if (each.name === name) here.add(each.type);
      return [...here].map((type) => get(name, type)).filter((set) => set !== undefined);
    },
    types,
    others: (name) => marks(name).filter((mark) => mark.owner !== owner),
    putTypes(name, next) {
      if (JSON.stringify([...next].sort()) === JSON.stringify([...types(name)].sort())) return;
      const before = get(markName(name), 'TXT');
      put(markName(name), 'TXT', withMark(name, before, { owner, types: next }));
    },
    take() {
      const taken = edits;
      edits = [];
      return taken;
    },
  };
}

/** Addresses of both families lead visitors to one place or another: they are one thing to own. */
function owns(types: readonly string[], type: string): boolean {
  return ADDRESSES.includes(type)
    ? types.some((each) => ADDRESSES.includes(each) || each === GLUE)
    : types.includes(type);
}

/** Whether records of these types cannot stand beside each other for different owners. */
function collide(one: string, other: string): boolean {
  return (
    one === other || one === 'CNAME' || other === 'CNAME' || (ADDRESSES.includes(one) && ADDRESSES.includes(other))
  );
}

/** Throws where something that is not the owner's stands in the way at the name. */
function refuseOthers(name: string, draft: Draft, wanted: Wanted): void {
  const mine = draft.types(name);
  const types = [
    ...new Set(wanted.records.filter(({ record }) => record.name === name).map(({ record }) => record.type)),
  ];
  for (const other of draft.others(name)) {
    const taken = other.types.find((each) => types.some((type) => collide(type, each)));
    if (taken === undefined) continue;
    throw new AegirError(
      'already_exists',
      `cannot set records of ${name}: its ${taken} records belong to ${other.owner}; take the name from there first`,
      { untouched: true },
    );
  }
  for (const set of draft.at(name)) {
    const inTheWay = types.filter((type) => collide(type, set.type));
    if (inTheWay.length === 0 || owns(mine, set.type)) continue;
    // A CNAME at a place of ours, or addresses at that of our CNAME, came after us.
    if (set.type === 'CNAME' && inTheWay.some((type) => mine.includes(type))) continue;
    if (ADDRESSES.includes(set.type) && mine.includes('CNAME') && types.includes('CNAME')) continue;
    const same = wanted.get(name, set.type);
    if (same !== undefined && sameData(same, set)) continue;
    throw foreign(set, same);
  }
}

function foreign(set: RRset, same: WantedSet | undefined): AegirError {
  const records = set.data.map((data) => inWords(recordOf(set, data)));
  const few = records.length > 3 ? [...records.slice(0, 3), `${records.length - 3} more`] : records;
  const adopt = same === undefined ? '' : `, or give it the data ${same.data.join(' and ')} there, then it is adopted`;
  return new AegirError(
    'failed_precondition',
    `cannot set records of ${set.name}: somebody else has set ${few.join(' and ')}; remove it there${adopt}`,
    { untouched: true },
  );
}

function setStep({ record, data }: WantedRecord, draft: Draft, wanted: Wanted): readonly Step[] {
  const { name, type, ttl } = record;
  const set = draft.get(name, type);
  const mine = draft.types(name);
  const blocking = draft.at(name).filter((each) => each.type !== type && (type === 'CNAME' || each.type === 'CNAME'));
  const hasTtl = set?.ttl === undefined || set.ttl === ttl;
  const isThere = set?.data.includes(data) === true;
  if (isThere && hasTtl && mine.includes(type) && blocking.length === 0) return [];

  const all = wanted.get(name, type)?.data ?? [];
  const wrong = (set?.data ?? []).filter((each) => !all.includes(each));
  const right = (set?.data ?? []).filter((each) => all.includes(each) && each !== data);
  for (const each of blocking) draft.put(name, each.type, undefined);
  const after: RRset = { name, type, ttl, data: [...right, data].sort() };
  if (!hasTtl || !isThere || wrong.length > 0) draft.put(name, type, after);
  const gone = blocking.map((each) => each.type);
  draft.putTypes(name, [...new Set([...mine.filter((each) => !gone.includes(each)), type])]);
  const instead = [
    ...blocking.map((each) => followed(each, draft.contents)),
    ...wrong.map((each) => `${type} ${each}`),
  ];
  const now = inPlace({ instead, ttl: set !== undefined && !hasTtl ? set.ttl : undefined, adopted: isThere && hasTtl });
  return [{ summary: `set ${inWords(record)}${now}`, edits: draft.take() }];
}

function removeSteps(draft: Draft, wanted: Wanted, contents: Contents): readonly Step[] {
  const marked = contents.all().flatMap((set) => {
    const name = set.type === 'TXT' ? markedName(set.name) : undefined;
    return name !== undefined && marksIn(set).some((mark) => mark.owner === draft.owner) ? [name] : [];
  });
  return [...new Set([...wanted.names, ...marked])].flatMap((name) => {
    const types = draft.types(name);
    const stray = types.some((type) => wanted.get(name, type) && ADDRESSES.includes(type)) ? ADDRESSES : [];
    // Without its glue the zone would have a name server that nobody finds: it goes with the zone.
    const mine = types.filter((type) => type !== GLUE);
    return [...new Set([...mine, ...stray])].flatMap((type) => removeOfType(name, type, draft, wanted));
  });
}

function removeOfType(name: string, type: string, draft: Draft, wanted: Wanted): readonly Step[] {
  const wantedSet = wanted.get(name, type);
  const without = draft.types(name).filter((each) => each !== type);
  const found = draft.get(name, type);
  const extra = (found?.data ?? []).filter((data) => !wantedSet?.data.includes(data));
  if (found === undefined || extra.length === 0) {
    if (wantedSet !== undefined || without.length === draft.types(name).length) return [];
    draft.putTypes(name, without);
    return [{ summary: `forget the ${type} records of ${name}, which are gone`, edits: draft.take() }];
  }
  return extra.map((data, index) => {
    const rest = [...(wantedSet?.data ?? []), ...extra.slice(index + 1)].sort();
    draft.put(name, type, rest.length === 0 ? undefined : { ...found, data: rest });
    if (rest.length === 0) draft.putTypes(name, without);
    return { summary: `remove ${inWords(recordOf(found, data))}`, edits: draft.take() };
  });
}

function recordOf({ name, type, ttl }: RRset, data: string) {
  return { name, type, ttl: ttl ?? 0, data };
}
