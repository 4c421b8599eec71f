// Look-ups for the null engine: what the world answers for a name now.
import type { CaaRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { canonical } from '../record.ts';

/** failed: why, in words. */
export type Answer = Found | { readonly failed: string };
export interface Found {
  /** In the spelling of canonical(); empty when the name or type does not exist. */
  readonly values: readonly string[];
  /** Seconds that the answer may be kept, the longest of its records; where resolvers tell it, for addresses. */
  readonly ttl?: number;
}
/** Ends when the signal is aborted, with failed. */
export type LookUp = (name: string, type: string, signal: AbortSignal) => Promise<Answer>;

export interface LookUpOptions {
  /** IP addresses, perhaps with a port; the system's when not said. */
  readonly servers?: readonly string[];
  /** How long one question may take in all, whatever number of servers it is put to. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5000;
// No such name, no such record: what c-ares says for them.
const EMPTY = new Set(['ENOTFOUND', 'ENODATA']);
const WORDS: Readonly<Record<string, string>> = {
  ETIMEOUT: 'no name server answered in time',
  ECANCELLED: 'no name server answered in time',
  ECONNREFUSED: 'no name server answers',
  ESERVFAIL: 'the name servers of its zone fail (SERVFAIL)',
  EREFUSED: 'the name server refuses to answer (REFUSED)',
  EBADRESP: 'the name server answered nonsense',
  EFORMERR: 'the name server did not understand the question',
};

export function createLookUp({ servers, timeoutMs = TIMEOUT_MS }: LookUpOptions = {}): LookUp {
  return async (name, type, signal) => {
    // Two tries: one lost datagram is no answer.
    const resolver = new Resolver({ timeout: Math.max(1, Math.floor(timeoutMs / 4)), tries: 2 });
    if (servers !== undefined) resolver.setServers([...servers]);
    const cancel = (): void => resolver.cancel();
    const timer = setTimeout(cancel, timeoutMs);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      if (signal.aborted) return { failed: 'there was no time left for it' };
      if (type === 'A' || type === 'AAAA') return await askAddresses(resolver, name, type);
      const found = await ask(resolver, name, type);
      return { values: plain(type, found) };
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code ?? 'an unknown fault';
      return EMPTY.has(code) ? { values: [] } : { failed: WORDS[code] ?? code };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    }
  };
}

async function askAddresses(resolver: Resolver, name: string, type: 'A' | 'AAAA'): Promise<Found> {
  const found = await (type === 'A' ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }));
  const values = plain(
    type,
    found.map(({ address }) => address),
  );
  return { values, ttl: Math.max(...found.map(({ ttl }) => ttl)) };
}

function plain(type: string, data: readonly string[]): readonly string[] {
  return [...new Set(data.map((each) => canonical(type, each)))].sort();
}

async function ask(resolver: Resolver, name: string, type: string): Promise<string[]> {
  switch (type) {
    case 'CNAME':
      return resolver.resolveCname(name);
    case 'NS':
      return resolver.resolveNs(name);
    case 'MX':
      return (await resolver.resolveMx(name)).map((mx) => `${mx.priority} ${mx.exchange}`);
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((pieces) => quoted(pieces.join('')));
    case 'SRV':
      return (await resolver.resolveSrv(name)).map((srv) => `${srv.priority} ${srv.weight} ${srv.port} ${srv.name}`);
    case 'CAA':
      return (await resolver.resolveCaa(name)).map(caaData);
    default:
      throw Object.assign(new Error(`type ${type} is not known`), { code: `records of type ${type} are not known` });
  }
}

/** So that quotes within the text are not taken for those around it. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, (char) => `\\${char}`)}"`;
}

/** c-ares gives the flags as "critical", and the tag as the name of the property. */
function caaData({ critical, ...property }: CaaRecord): string {
  const [[tag, value] = ['', '']] = Object.entries(property).filter(([key]) => key !== 'type');
  return `${critical} ${tag} ${quoted(String(value))}`;
}
