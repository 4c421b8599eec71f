// Asks the name servers of a zone themselves, each of them, past every cache.
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { MARK_LABEL, readMarkText } from '../../shared/dns-mark.ts';
import { AegirError } from '../../shared/error.ts';
import { isPublicName } from '../../shared/name.ts';
import type { PlannedRecord } from '../plan/plan.ts';

const TIMEOUT_MS = 2_000;

/** host:port or [v6]:port of one that answers for the zone, and its name for people. */
export interface NameServer {
  readonly name: string;
  readonly at: string;
}

/** undefined when it has what is wanted, else what it says instead. */
export type AskNameServer = (server: NameServer, records: readonly PlannedRecord[]) => Promise<string | undefined>;

/** Only A and AAAA are asked for: what a site has. */
export const askNameServer: AskNameServer = async ({ at, name }, records) => {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  resolver.setServers([at]);
  const wanted = new Map<string, string[]>();
  for (const { name: host, type, data } of records) {
    if (type !== 'A' && type !== 'AAAA') continue;
    const key = `${type} ${host}`;
    wanted.set(key, [...(wanted.get(key) ?? []), data]);
  }
  for (const [key, data] of wanted) {
    const [type = '', host = ''] = key.split(' ');
    let answer: readonly string[];
    try {
      answer = type === 'A' ? await resolver.resolve4(host) : await resolver.resolve6(host);
    } catch (thrown) {
      return `${name} does not answer for ${host} (${(thrown as { code?: string }).code ?? 'no reason'})`;
    }
    if ([...answer].sort().join() !== [...data].sort().join()) {
      return `${name} still answers ${answer.join(', ') || 'nothing'} for ${host}`;
    }
  }
  return undefined;
};

/** Addresses of a name server, by the system's resolver; empty when it knows none. */
export async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
}

/**
 * The name of the first mark of the owner that the public sees, by the system's resolver: who asks for that name is answered
 * from a zone where Aegir keeps records. undefined where none is there. Rejects when it cannot be known.
 */
export async function publicMark(
  names: readonly string[],
  owner: string,
  resolveTxt: (name: string) => Promise<readonly (readonly string[])[]> = (name) =>
    new Resolver({ timeout: TIMEOUT_MS, tries: 2 }).resolveTxt(name),
): Promise<string | undefined> {
  for (const name of new Set(names.filter(isPublicName))) {
    const mark = `${MARK_LABEL}.${name}`;
    try {
      const texts = await resolveTxt(mark);
      if (texts.some((parts) => readMarkText(parts.join(''))?.owner === owner)) return mark;
    } catch (thrown) {
      const { code = 'no reason' } = thrown as { code?: string };
      if (code === 'ENOTFOUND' || code === 'ENODATA') continue;
      throw new AegirError('unavailable', `cannot look ${mark} up: ${code}`, { retryable: true });
    }
  }
  return undefined;
}

export function atPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
