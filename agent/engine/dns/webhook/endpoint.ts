// Endpoints, as external-dns calls the records of one name and type on the wire of its webhook providers. Pure.
import { AegirError } from '../../../../shared/error.ts';
import type { DnsRecord } from '../../../../shared/gen/aegir/v1/spec.ts';
import { presentation, presentationOrSame } from '../rdata.ts';
import type { Edit, RecordRead, RRset } from '../rrset.ts';
import { CHANGED } from '../zone-transport.ts';

/** What we do not know of comes back to the provider as it was. */
export interface Endpoint {
  readonly dnsName: string;
  readonly targets: readonly string[];
  readonly recordType: string;
  /** Seconds; none or 0: as the provider does it. */
  readonly recordTTL?: number;
  /** One of several sets of that name and type, for routing by weight or place. */
  readonly setIdentifier?: string;
  readonly [more: string]: unknown;
}

export interface Changes {
  readonly create: readonly Endpoint[];
  readonly updateOld: readonly Endpoint[];
  readonly updateNew: readonly Endpoint[];
  readonly delete: readonly Endpoint[];
}

/** Throws for an answer that is no list of endpoints. What is empty is left out, or null, as Go writes it. */
export function endpointsIn(answer: unknown, doing: string): readonly Endpoint[] {
  const list = answer ?? [];
  if (Array.isArray(list) && list.every(isEndpoint)) {
    return list.map((each) => ({ ...each, targets: each.targets ?? [], recordType: each.recordType ?? '' }));
  }
  throw new AegirError('unavailable', `cannot ${doing}: the webhook provider answered something that are no endpoints`);
}

interface Told {
  readonly dnsName: string;
  readonly targets?: readonly string[] | null;
  readonly recordType?: string | null;
  readonly [more: string]: unknown;
}

function isEndpoint(item: unknown): item is Told {
  if (typeof item !== 'object' || item === null) return false;
  const { dnsName, targets, recordType, recordTTL } = item as Record<string, unknown>;
  return (
    typeof dnsName === 'string' &&
    typeof (recordType ?? '') === 'string' &&
    Array.isArray(targets ?? []) &&
    ((targets ?? []) as readonly unknown[]).every((target) => typeof target === 'string') &&
    typeof (recordTTL ?? 0) === 'number'
  );
}

export function nameOf({ dnsName }: Endpoint): string {
  return dnsName.toLowerCase().replace(/\.$/, '');
}

export function recordsOf(endpoint: Endpoint): readonly RecordRead[] {
  const ttl = ttlOf(endpoint);
  return endpoint.targets.map((data) => ({ name: nameOf(endpoint), type: endpoint.recordType, ttl, data }));
}

function ttlOf({ recordTTL }: Endpoint): number | undefined {
  return typeof recordTTL === 'number' && recordTTL > 0 ? recordTTL : undefined;
}

/** Host names without a dot at the end, but in SRV records; texts in quotes: as external-dns writes them. */
export function targetOf(type: string, data: string): string {
  return ['CNAME', 'NS', 'MX'].includes(type) && data.length > 1 && !data.endsWith(' .')
    ? data.replace(/\.$/, '')
    : data;
}

export function endpointOf({ name, type, ttl, data }: RRset): Endpoint {
  return {
    dnsName: name,
    targets: data.map((each) => targetOf(type, each)),
    recordType: type,
    ...(ttl === undefined || ttl === 0 ? {} : { recordTTL: ttl }),
  };
}

const keyOf = (endpoint: Endpoint): string => `${nameOf(endpoint)} ${endpoint.recordType}`;

/** The data of all of them, to be compared. */
function dataOf(endpoints: readonly Endpoint[]): string {
  const data = endpoints.flatMap(({ recordType, targets }) =>
    targets.map((each) => presentationOrSame(recordType, each)),
  );
  return JSON.stringify([...new Set(data)].sort());
}

/**
 * What to send for the edits: one endpoint for each set, also where the provider shows each target as one of its own. Many
 * take what is to go by name and type alone, and would not find it a second time. Throws aborted where the provider has
 * something else than the edits expect.
 */
export function changesOf(edits: readonly Edit[], found: readonly Endpoint[], doing: string): Changes {
  const changes = {
    create: [] as Endpoint[],
    updateOld: [] as Endpoint[],
    updateNew: [] as Endpoint[],
    delete: [] as Endpoint[],
  };
  for (const { name, type, before, after } of edits) {
    const olds = found.filter((each) => nameOf(each) === name && each.recordType === type);
    if (dataOf(olds) !== JSON.stringify(before?.data ?? [])) {
      throw new AegirError('aborted', `cannot ${doing}: ${CHANGED}`);
    }
    if (olds.some(({ setIdentifier }) => (setIdentifier ?? '') !== '')) {
      const why = `its ${type} records are routed by weight or place at the provider, which this engine does not know`;
      throw new AegirError('failed_precondition', `cannot change ${name}: ${why}`);
    }
    const old = together(olds);
    if (old === undefined) {
      if (after !== undefined) changes.create.push(endpointOf(after));
    } else if (after === undefined) {
      changes.delete.push(old);
    } else {
      const { recordTTL: _, ...kept } = old;
      changes.updateOld.push(old);
      changes.updateNew.push({ ...kept, ...endpointOf(after) });
    }
  }
  return changes;
}

function together(endpoints: readonly Endpoint[]): Endpoint | undefined {
  const [first, ...more] = endpoints;
  if (first === undefined || more.length === 0) return first;
  return { ...first, targets: [...new Set(endpoints.flatMap(({ targets }) => targets))] };
}

/** What the provider made of endpoints, in their order: it may answer in another one, and old ones go with new ones. */
export function inOrder(
  wanted: readonly Endpoint[],
  adjusted: readonly Endpoint[],
  doing: string,
): readonly Endpoint[] {
  const left = [...adjusted];
  const found = wanted.map((each) => {
    const at = left.findIndex((other) => keyOf(other) === keyOf(each));
    return at === -1 ? undefined : left.splice(at, 1)[0];
  });
  if (left.length === 0 && found.every((each) => each !== undefined)) return found;
  const why = 'the webhook provider leaves some of the records out, perhaps the TXT records that tell what is ours';
  const other = 'the webhook provider would make other records of them';
  throw new AegirError('failed_precondition', `cannot ${doing}: ${left.length === 0 ? why : other}`);
}

/** Of the changes that were sent, the first set that the provider shows otherwise; TTLs are its own affair. */
export function notDone({ create, updateNew, delete: gone }: Changes, shown: readonly Endpoint[]): string | undefined {
  const is = (wanted: Endpoint) => dataOf(shown.filter((each) => keyOf(each) === keyOf(wanted)));
  const other = [...create, ...updateNew].find((each) => is(each) !== dataOf([each]));
  const left = other ?? gone.find((each) => is(each) !== dataOf([]));
  return left && `${left.recordType} of ${nameOf(left)}`;
}

/** Endpoints for records, to be adjusted by the provider. */
export function wantedEndpoints(records: readonly DnsRecord[]): readonly Endpoint[] {
  const sets = new Map<string, RRset>();
  for (const { name, type, ttl, data } of records) {
    const key = `${name} ${type}`;
    const shown = presentation(type, data);
    sets.set(key, { name, type, ttl, data: [...new Set([...(sets.get(key)?.data ?? []), shown])].sort() });
  }
  return [...sets.values()].map(endpointOf);
}

/** The records as the provider will have them; those that it leaves alone keep their spelling. */
export function adjustedRecords(records: readonly DnsRecord[], adjusted: readonly Endpoint[]): readonly DnsRecord[] {
  const done = new Set<string>();
  return records.flatMap((record) => {
    const { name, type } = record;
    const key = `${name} ${type}`;
    const its = adjusted.filter((each) => nameOf(each) === name && each.recordType === type);
    if (its.length === 0) {
      const why = `the webhook provider takes no ${type} records there`;
      throw new AegirError('failed_precondition', `cannot set records of ${name}: ${why}`, { untouched: true });
    }
    const ttl = its.map(ttlOf).find((each) => each !== undefined) ?? record.ttl;
    const asked = records.filter((each) => each.name === name && each.type === type);
    const same = JSON.stringify([...new Set(asked.map(({ data }) => presentation(type, data)))].sort()) === dataOf(its);
    if (same) return [{ ...record, ttl }];
    if (done.has(key)) return [];
    done.add(key);
    return its.flatMap(({ targets }) => targets.map((data) => ({ ...record, ttl, data })));
  });
}
