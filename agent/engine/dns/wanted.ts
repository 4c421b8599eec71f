// What an owner wants of a zone, checked and put together by name and type. Pure.
import { AegirError } from '../../../shared/error.ts';
import type { DnsRecord } from '../../../shared/gen/aegir/v1/spec.ts';
import { markName } from './ownership.ts';
import { presentation } from './rdata.ts';
import { checkRecord } from './record.ts';

export interface WantedSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  /** As presentation() has it, sorted, each once. */
  readonly data: readonly string[];
}

export interface WantedRecord {
  /** As it was asked for: words for people show it like that. */
  readonly record: DnsRecord;
  readonly data: string;
}

export interface Wanted {
  /** In the order of the spec, each once. */
  readonly records: readonly WantedRecord[];
  get(name: string, type: string): WantedSet | undefined;
  readonly names: readonly string[];
}

/** Throws invalid_argument for records that no zone can hold, or not this one; zone may be empty for those of any. */
export function wantedOf(zone: string, records: readonly DnsRecord[]): Wanted {
  const sets = new Map<string, WantedSet>();
  const kept: WantedRecord[] = [];
  for (const record of records) {
    checkRecord(record);
    const { name, type, ttl } = record;
    if (zone !== '' && name !== zone && !name.endsWith(`.${zone}`)) refuse(name, `it is not in zone ${zone}`);
    markName(name);
    const data = presentation(type, record.data);
    const set = sets.get(`${name} ${type}`);
    if (set?.data.includes(data)) continue;
    if (set !== undefined && set.ttl !== ttl) refuse(name, `its records of type ${type} have different TTLs`);
    if (set !== undefined && type === 'CNAME') refuse(name, 'it has two CNAME records');
    if (type === 'CNAME' && name === zone) refuse(name, 'the apex of a zone cannot be a CNAME');
    sets.set(`${name} ${type}`, { name, type, ttl, data: [...(set?.data ?? []), data].sort() });
    kept.push({ record, data });
  }
  const names = [...new Set(kept.map(({ record }) => record.name))];
  for (const name of names) {
    const types = new Set(kept.filter(({ record }) => record.name === name).map(({ record }) => record.type));
    if (types.has('CNAME') && types.size > 1)
      refuse(name, 'it has a CNAME record and others, which exclude each other');
  }
  return { records: kept, names, get: (name, type) => sets.get(`${name} ${type}`) };
}

function refuse(name: string, why: string): never {
  throw new AegirError('invalid_argument', `cannot use a record of ${name}: ${why}`);
}
