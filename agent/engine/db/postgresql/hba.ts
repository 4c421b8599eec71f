// The lines of sites in pg_hba.conf, in one marked block that stands before every other rule, for the first that fits
// counts: pure. Lines of others stay as they are, and in their order.

const BEGIN = '# BEGIN aegir: lines of sites; Aegir restores them. The first line that fits counts: keep them first.';
const CHANGING = '# aegir is changing ';
const END = '# END aegir';

/** host or local, database, user …: the third word is the site's user, its deputy, or who follows its database. */
const OURS = /^(?:host|hostssl|local)\s+\S+\s+([sdf]_[0-9a-z]{16})\s/;

export interface Hba {
  /** Lines of sites by user, in order. */
  readonly sites: ReadonlyMap<string, readonly string[]>;
  /** False when a rule of somebody stands before or among ours. */
  readonly first: boolean;
  /** Users whose lines were written, and perhaps not read by the server: an agent died in between. */
  readonly changing: ReadonlySet<string>;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export function parseHba(text: string): Hba {
  const sites = new Map<string, string[]>();
  const before: string[] = [];
  const after: string[] = [];
  let inside = false;
  let begun = false;
  let among = false;
  const changing = new Set<string>();
  for (const line of text === '' ? [] : text.replace(/\n$/, '').split('\n')) {
    if (line.startsWith('# BEGIN aegir')) {
      inside = true;
      begun = true;
    } else if (line.startsWith(END)) inside = false;
    else if (inside && line.startsWith(CHANGING)) changing.add(line.slice(CHANGING.length));
    else {
      const user = inside ? OURS.exec(line)?.[1] : undefined;
      if (user !== undefined) sites.set(user, [...(sites.get(user) ?? []), line]);
      else (begun ? after : before).push(line);
      among ||= inside && user === undefined && isRule(line);
    }
  }
  const first = !among && !before.some(isRule);
  return { sites, first, changing, before, after };
}

function isRule(line: string): boolean {
  return /^\s*[^#\s]/.test(line);
}

export interface Allowed {
  readonly database: string;
  readonly user: string;
  /** Addresses, normalised, or localhost for the host's own socket. */
  readonly from: readonly string[];
  /** Of a user that may replicate: with TLS alone, where the server has it. */
  readonly replicates?: 'host' | 'hostssl';
}

/** What the site is let in by, and a refusal of everything else, whatever lines of others say of everybody. */
export function linesOf({ database, user, from, replicates }: Allowed): readonly string[] {
  const host = replicates ?? 'host';
  return [
    ...from.map((each) =>
      each === 'localhost'
        ? `local ${database} ${user} scram-sha-256`
        : `${host} ${database} ${user} ${each}/${each.includes(':') ? 128 : 32} scram-sha-256`,
    ),
    // "all" is every database, but not the server as a whole, of which a replica may ask for a copy.
    ...(replicates === undefined ? [] : [`host replication ${user} all reject`, `local replication ${user} reject`]),
    `host all ${user} all reject`,
    `local all ${user} reject`,
  ];
}

/** The text with these lines of one user; with none it goes, and the block with the last one. */
export function renderHba(hba: Hba, user: string, lines: readonly string[], changing: ReadonlySet<string>): string {
  const sites = new Map(hba.sites);
  sites.set(user, lines);
  const ours = [...sites.keys()].sort().flatMap((each) => sites.get(each) ?? []);
  const marks = [...changing].sort().map((each) => `${CHANGING}${each}`);
  const block = ours.length + marks.length === 0 ? [] : [BEGIN, ...marks, ...ours, END];
  // A comment at the head of the file may stay there; a rule may not.
  const [head, tail] = hba.before.some(isRule) ? [[], hba.before] : [hba.before, []];
  return `${[...head, ...block, ...tail, ...hba.after].join('\n')}\n`;
}

/** How the lines differ, in words; empty when they are as wanted. */
export function hbaDrift(found: readonly string[], allowed: Allowed): readonly string[] {
  const wanted = linesOf(allowed);
  if (found.join('\n') === wanted.join('\n')) return [];
  if (found.length === 0) return ['there were none'];
  const placeOf = (line: string): string => {
    const [kind, database, , address = '', method] = line.split(/\s+/);
    const place = kind === 'local' ? 'the socket' : address.replace(/\/(?:32|128)$/, '');
    const usual = database === allowed.database && (kind === 'local' || method === 'scram-sha-256');
    return usual ? place : JSON.stringify(line);
  };
  const extra = found.filter((line) => !wanted.includes(line));
  const missing = wanted.filter((line) => !found.includes(line));
  const words = [
    ...(extra.length === 0 ? [] : [`not ${extra.map(placeOf).join(', ')}, which no web server of the site is`]),
    ...(missing.length === 0 ? [] : [`${missing.length} ${missing.length === 1 ? 'was' : 'were'} missing`]),
  ];
  return words.length === 0 ? ['they were in another order'] : words;
}
