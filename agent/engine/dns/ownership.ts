// Who owns which records of a zone, as the zone itself tells: a TXT record beside each name. Pure.
import { MARK_LABEL, markText, readMarkText } from '../../../shared/dns-mark.ts';
import { AegirError } from '../../../shared/error.ts';
import { isId } from '../../../shared/id.ts';
import { plainText, presentation } from './rdata.ts';
import type { RRset } from './rrset.ts';

export interface Mark {
  /** "site-…" or "zone-…". */
  readonly owner: string;
  readonly types: readonly string[];
}

const WILDCARD = '_wildcard';
const MAX_NAME = 253;
/** Seconds; read by us only. */
export const MARK_TTL = 300;

/** In place of types: addresses that we gave a name server of a zone, until somebody declares them. */
export const GLUE = 'GLUE';

/** The name of the mark of a name. Throws invalid_argument for names that could not be marked. */
export function markName(name: string): string {
  const [first = '', ...parents] = name.split('.');
  const refuse = (why: string): never => {
    throw new AegirError('invalid_argument', `cannot use a record of ${name}: ${why}`);
  };
  if (name.split('.').includes(MARK_LABEL)) refuse(`names with ${MARK_LABEL} are for the marks of what Aegir owns`);
  if (first === WILDCARD) refuse(`names that begin with ${WILDCARD} are for the marks of what Aegir owns`);
  const marked = `${MARK_LABEL}.${first === '*' ? [WILDCARD, ...parents].join('.') : name}`;
  if (marked.length > MAX_NAME) refuse(`it has more than ${MAX_NAME - MARK_LABEL.length - 1} characters`);
  return marked;
}

/** The name that a mark is of; undefined when that is no name of a mark. */
export function markedName(mark: string): string | undefined {
  if (!mark.startsWith(`${MARK_LABEL}.`)) return undefined;
  const name = mark.slice(MARK_LABEL.length + 1);
  return name.startsWith(`${WILDCARD}.`) ? `*${name.slice(WILDCARD.length)}` : name;
}

/** The marks in a set of records of type TXT; texts of other people there are none. */
export function marksIn(set: RRset | undefined): readonly Mark[] {
  return (set?.data ?? []).map(readMark).filter((mark) => mark !== undefined);
}

function readMark(data: string): Mark | undefined {
  const { owner = '', types = '' } = readMarkText(plainText(data)) ?? {};
  const known = isId('site', owner) || isId('zone', owner);
  return known ? { owner, types: [...new Set(types.split(',').filter(Boolean))].sort() } : undefined;
}

/** The set with this one mark of the owner instead of those that it had; undefined when nothing is left in it. */
export function withMark(name: string, set: RRset | undefined, { owner, types }: Mark): RRset | undefined {
  const others = (set?.data ?? []).filter((data) => readMark(data)?.owner !== owner);
  const own = types.length === 0 ? [] : [presentation('TXT', markText(owner, types))];
  const data = [...others, ...own].sort();
  return data.length === 0 ? undefined : { name: markName(name), type: 'TXT', ttl: set?.ttl ?? MARK_TTL, data };
}
