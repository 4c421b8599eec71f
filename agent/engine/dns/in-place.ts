// Words for what stands at a name now, in place of or beside what is wanted. Pure.
import type { Contents, RRset } from './rrset.ts';

const MAX_CHAIN = 12;

/** " (instead of A 203.0.113.5; its TTL was 60)"; empty when there is nothing to say. */
export function inPlace(now: {
  readonly instead: readonly string[];
  readonly ttl: number | undefined;
  readonly adopted: boolean;
}): string {
  const words = [
    ...(now.instead.length === 0 ? [] : [`instead of ${now.instead.join(' and ')}`]),
    ...(now.ttl === undefined ? [] : [`its TTL was ${now.ttl}`]),
  ];
  if (words.length === 0 && now.adopted) words.push('it is there already: from now on it is kept');
  return words.length === 0 ? '' : ` (${words.join('; ')})`;
}

/** A set in words; a CNAME with where it leads as far as the zone knows it. */
export function followed(set: RRset, contents: Contents): string {
  const [target = ''] = set.data;
  if (set.type !== 'CNAME') return `${set.type} ${set.data.join(', ')}`;
  const links = [`CNAME ${target}`];
  let name = target.replace(/\.$/, '');
  while (links.length < MAX_CHAIN) {
    const next = contents.get(name, 'CNAME')?.data[0];
    if (next === undefined) break;
    links.push(`CNAME ${next}`);
    name = next.replace(/\.$/, '');
  }
  const ends = ['A', 'AAAA'].flatMap((type) => contents.get(name, type)?.data ?? []);
  return [...links, ...(ends.length === 0 ? [] : [ends.join(', ')])].join(' → ');
}
