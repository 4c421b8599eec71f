// The records at the apex of a zone that make it one: its SOA and its name servers (RFC 1035, RFC 2308). Pure.
import { AegirError } from '../../../shared/error.ts';
import type { ZoneSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { hostName } from '../../../shared/name.ts';
import type { Contents, RRset } from './rrset.ts';

/** Of secondaries: how often they ask, how soon again, when they give up. Seconds; within RIPE 203's and RFC 1912's. */
const REFRESH = 7200;
const RETRY = 3600;
const EXPIRE = 1_209_600;

/** Throws invalid_argument for what no zone can be. */
export function checkZone(zone: ZoneSpec): void {
  if (hostName(zone.name, 'zone') !== zone.name) refuse(zone, 'its name is not in lower case ASCII without a last dot');
  if (zone.nameservers.length === 0) refuse(zone, 'it has no name servers');
  for (const each of zone.nameservers) {
    if (hostName(each, 'name server') !== each) refuse(zone, `${each} is not in lower case ASCII without a last dot`);
  }
  if (!/^[^\s@"\\;()]+@[^\s@"\\;()]+$/.test(zone.contact)) refuse(zone, 'its contact is no mail address');
}

function refuse(zone: ZoneSpec, why: string): never {
  throw new AegirError('invalid_argument', `cannot make zone ${zone.name}: ${why}`);
}

/** A mail address as a name: dots before the "@" are escaped (RFC 1035 section 8). */
export function mailbox(address: string): string {
  const at = address.lastIndexOf('@');
  return `${address.slice(0, at).replaceAll('.', '\\.')}.${address.slice(at + 1).toLowerCase()}.`;
}

export function soaData(zone: ZoneSpec, serial: number): string {
  const [primary = ''] = zone.nameservers;
  return `${primary}. ${mailbox(zone.contact)} ${serial} ${REFRESH} ${RETRY} ${EXPIRE} ${zone.negativeTtl}`;
}

export function nameServerData(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((name) => `${name}.`))].sort();
}

/** The serial of SOA data; 0 when it has none. */
export function serialOf(data: string): number {
  return Number(data.split(/\s+/)[2] ?? 0);
}

/** After this one, in the arithmetic of serials (RFC 1982). */
export function nextSerial(serial: number): number {
  return serial >= 0xffff_ffff ? 1 : serial + 1;
}

export interface ApexDrift {
  /** What differs, in words; empty when nothing does. */
  readonly words: readonly string[];
  readonly soa: RRset | undefined;
  readonly ns: RRset | undefined;
}

/** names: the name servers that are to stand at the apex now. */
export function apexDrift(zone: ZoneSpec, names: readonly string[], contents: Contents): ApexDrift {
  const soa = contents.get(zone.name, 'SOA');
  const ns = contents.get(zone.name, 'NS');
  const now = soa?.data[0] ?? '';
  const words: string[] = [];
  if (fieldsOf(now) !== fieldsOf(soaData(zone, 0)) || soa?.ttl !== zone.ttl) {
    words.push(`SOA ${zone.ttl} ${soaData(zone, serialOf(now))}`);
  }
  const servers = nameServerData(names);
  if (JSON.stringify(ns?.data) !== JSON.stringify(servers) || ns?.ttl !== zone.ttl) {
    words.push(`NS ${zone.ttl} ${servers.join(', ')}`);
  }
  return { words, soa, ns };
}

/** All but the serial. */
function fieldsOf(data: string): string {
  const fields = data.split(/\s+/);
  return [...fields.slice(0, 2).map((each) => each.toLowerCase()), ...fields.slice(3)].join(' ');
}
