// Compares what a site wants in DNS with what the world answers, and says what a person must do about it. Pure.
import type { DnsRecord } from '../../../../shared/gen/aegir/v1/spec.ts';
import { canonical, inWords } from '../record.ts';
import type { Answer } from './look-up.ts';

const ADDRESSES = ['A', 'AAAA'];
const PLACE = 'at your DNS provider';
const NOT_ASKED: Answer = { failed: 'it was not asked' };

export interface Question {
  readonly name: string;
  readonly type: string;
}

/** What was answered to a question; undefined when it was not asked. */
export type Seen = (name: string, type: string) => Answer | undefined;

/** All that must be asked to judge the records, each once: of names with addresses also the other family and the alias. */
export function questionsOf(records: readonly DnsRecord[]): readonly Question[] {
  const asked = new Map<string, Question>();
  for (const { name, type } of records) {
    for (const each of ADDRESSES.includes(type) ? [...ADDRESSES, 'CNAME'] : [type]) {
      asked.set(`${name} ${each}`, { name, type: each });
    }
  }
  return [...asked.values()];
}

/** What to do so that all records are there, and no others where others lead visitors astray; empty when it is so. */
export function toSet(records: readonly DnsRecord[], seen: Seen): readonly string[] {
  const wanted = unique(records);
  const lines = wanted.map((record) => setting(record, wrongAddresses(record.name, wanted, seen), seen));
  const names = [...new Set(wanted.filter(isAddress).map(({ name }) => name))];
  const wrong = names.filter((name) => aliasOf(name, seen) === undefined);
  return [
    ...lines.flatMap((line) => line ?? []),
    ...wrong.flatMap((name) =>
      wrongAddresses(name, wanted, seen).map(
        (each) => `remove ${name}. IN ${each} ${PLACE}: it is no address of the site's web server`,
      ),
    ),
  ];
}

function setting(record: DnsRecord, wrong: readonly string[], seen: Seen): string | undefined {
  const now = seen(record.name, record.type) ?? NOT_ASKED;
  if ('failed' in now)
    return `make sure that ${inWords(record)} is set ${PLACE} (it cannot be looked up: ${now.failed})`;
  const is = now.values.length === 0 ? 'nothing' : now.values.join(', ');
  const alias = isAddress(record) ? aliasOf(record.name, seen) : undefined;
  const there = now.values.includes(canonical(record.type, record.data));
  // Beside a CNAME nothing else may stand (RFC 1034 section 3.6.2), and where it leads may be somebody else's.
  if (alias !== undefined && !(there && wrong.length === 0)) {
    return `set ${inWords(record)} ${PLACE} instead of its CNAME ${alias}. (it leads to ${is}${wrong.length === 0 ? '' : `; not the site's: ${wrong.join(', ')}`})`;
  }
  if (!there) return `set ${inWords(record)} ${PLACE} (now: ${is})`;
  // On its way through resolvers a TTL only falls: a shorter one says nothing, a longer one is too long.
  const { ttl = 0 } = now;
  return alias === undefined && ttl > record.ttl ? `set ${inWords(record)} ${PLACE} (now: with TTL ${ttl})` : undefined;
}

/** Visitors take any of a name's addresses, of either family: those of another server lead some of them astray. */
function wrongAddresses(name: string, records: readonly DnsRecord[], seen: Seen): readonly string[] {
  const ours = records.filter((each) => each.name === name && isAddress(each));
  const wanted = ours.map(({ type, data }) => `${type} ${canonical(type, data)}`);
  const found = ADDRESSES.flatMap((type) => valuesOf(seen(name, type)).map((value) => `${type} ${value}`));
  return found.filter((each) => !wanted.includes(each));
}

/** What to do so that none of the records is there; empty when none is. */
export function toRemove(records: readonly DnsRecord[], seen: Seen): readonly string[] {
  const lines = unique(records).flatMap((record) => {
    const { name, type, data } = record;
    const now = seen(name, type) ?? NOT_ASKED;
    if ('failed' in now) {
      return [`make sure that ${inWords(record)} is removed ${PLACE} (it cannot be looked up: ${now.failed})`];
    }
    if (!now.values.includes(canonical(type, data))) return [];
    const alias = isAddress(record) ? aliasOf(name, seen) : undefined;
    if (alias === undefined) return [`remove ${inWords(record)} ${PLACE}`];
    return [`remove ${name}. IN CNAME ${alias}. ${PLACE} (it leads to the site's server)`];
  });
  // Two addresses behind one alias are one thing to do.
  return [...new Set(lines)];
}

function isAddress({ type }: DnsRecord): boolean {
  return ADDRESSES.includes(type);
}

function aliasOf(name: string, seen: Seen): string | undefined {
  return valuesOf(seen(name, 'CNAME'))[0];
}

function valuesOf(answer: Answer | undefined): readonly string[] {
  return answer !== undefined && 'values' in answer ? answer.values : [];
}

function unique(records: readonly DnsRecord[]): readonly DnsRecord[] {
  const byKey = new Map(records.map((each) => [`${each.name} ${each.type} ${canonical(each.type, each.data)}`, each]));
  return [...byKey.values()];
}
