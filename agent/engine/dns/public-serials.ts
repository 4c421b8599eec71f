// What the public sees of a zone: the name servers that lead to it, and the serial that each of them answers with.
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Finding } from '../../../shared/finding.ts';

/** nameservers: as the world finds them. failed: why nothing could be asked, in words. */
export interface PublicAnswers {
  readonly nameservers: readonly { readonly name: string; readonly serial: number | undefined; readonly why: string }[];
  readonly failed: string;
}

const TIMEOUT_MS = 2000;
const MAX_SERVERS = 13;
const NOT_THERE = new Set(['ENOTFOUND', 'ENODATA']);

/** By the resolvers of this host, then at each name server itself. Never throws but for an abort. */
export async function askPublic(
  zone: string,
  signal: AbortSignal,
  resolvers: readonly string[] = [],
): Promise<PublicAnswers> {
  const resolver = resolverOf(resolvers);
  let names: readonly string[];
  try {
    names = await resolver.resolveNs(zone);
  } catch (thrown) {
    signal.throwIfAborted();
    const code = codeOf(thrown);
    // Nobody is led to it: that is an answer.
    return { nameservers: [], failed: NOT_THERE.has(code) ? '' : code };
  }
  const nameservers = await Promise.all(
    names.slice(0, MAX_SERVERS).map(async (name) => ({ name, ...(await serialAt(zone, name, resolver)) })),
  );
  signal.throwIfAborted();
  return { nameservers, failed: '' };
}

async function serialAt(
  zone: string,
  name: string,
  resolver: Resolver,
): Promise<{ serial: number | undefined; why: string }> {
  try {
    const addresses = isIP(name) === 0 ? await addressesOf(name, resolver) : [name];
    if (addresses.length === 0) return { serial: undefined, why: 'it has no address' };
    const { serial } = await resolverOf(addresses).resolveSoa(zone);
    return { serial, why: '' };
  } catch (thrown) {
    return { serial: undefined, why: `it does not answer for the zone (${codeOf(thrown)})` };
  }
}

async function addressesOf(name: string, resolver: Resolver): Promise<readonly string[]> {
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  // A host without IPv6 reaches none of those.
  const found = four.status === 'fulfilled' ? four.value : [];
  return found.length > 0 ? found : six.status === 'fulfilled' ? six.value : [];
}

function resolverOf(servers: readonly string[]): Resolver {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  if (servers.length > 0) resolver.setServers([...servers]);
  return resolver;
}

function codeOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? 'an unknown fault';
}

/** own: the serial at the service itself, where it tells. */
export function judgePublic(zone: string, own: number | undefined, seen: PublicAnswers): readonly Finding[] {
  const [subject, code] = [`zone:${zone}`, 'dns.public'];
  if (seen.failed !== '') {
    const text = `not known what the public sees: the resolver of this host does not answer (${seen.failed})`;
    return [{ subject, code, level: 'info', text }];
  }
  if (seen.nameservers.length === 0) {
    const text = 'the public finds no name servers of it';
    return [
      { subject, code, level: 'warning', text, advice: 'have its name servers entered where the domain is registered' },
    ];
  }
  const findings: Finding[] = [];
  for (const { name, why } of seen.nameservers.filter(({ serial }) => serial === undefined)) {
    const advice = 'start that name server, let it transfer the zone, or take it out of the NS records';
    findings.push({ subject, code: 'dns.nameserver', level: 'warning', text: `${name}: ${why}`, advice });
  }
  const told = seen.nameservers.filter(({ serial }) => serial !== undefined);
  const serials = new Set([...told.map(({ serial }) => serial), ...(own === undefined ? [] : [own])]);
  if (serials.size > 1) {
    const list = told.map(({ name, serial }) => `${name} ${serial}`).join(', ');
    const text = `its name servers do not have the same serial: ${own === undefined ? '' : `${own} here, `}${list}`;
    const advice = 'let the secondaries transfer the zone (NOTIFY, allow-transfer), then verify again';
    findings.push({ subject, code: 'dns.serial', level: 'warning', text, advice });
  }
  if (findings.length > 0) return findings;
  const text = `all its name servers answer with serial ${[...serials].join()}: ${told.map(({ name }) => name).join(', ')}`;
  return [{ subject, code: 'dns.serial', level: 'ok', text }];
}
