// Whether the world can see TXT records that were just set: asked at each name server that leads to the zone, so that a
// certificate authority is not told to look too early.
import { Resolver } from 'node:dns/promises';

const TIMEOUT_MS = 2000;
const MAX_SERVERS = 13;

export interface TxtProof {
  readonly name: string;
  readonly data: string;
}

/** What is asked of one resolver or name server. */
export type Asked = Pick<Resolver, 'resolveNs' | 'resolve4' | 'resolve6' | 'resolveTxt'>;

/** True, too, where no name server can be found or none answers: then only the authority can tell. */
export async function published(
  zone: string,
  proofs: readonly TxtProof[],
  resolverAt: (addresses: readonly string[]) => Asked = dnsResolver,
): Promise<boolean> {
  const system = resolverAt([]);
  const names = await system.resolveNs(zone).catch(() => []);
  const answers = await Promise.all(
    names.slice(0, MAX_SERVERS).map(async (name) => {
      const addresses = await system.resolve4(name).catch(() => system.resolve6(name).catch(() => []));
      return addresses.length === 0 ? 'silent' : hasAll(resolverAt(addresses), proofs);
    }),
  );
  return !answers.includes('lacks');
}

async function hasAll(server: Asked, proofs: readonly TxtProof[]): Promise<'has' | 'lacks' | 'silent'> {
  for (const { name, data } of proofs) {
    try {
      const records = await server.resolveTxt(name);
      if (!records.some((parts) => parts.join('') === data)) return 'lacks';
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      return code === 'ENOTFOUND' || code === 'ENODATA' ? 'lacks' : 'silent';
    }
  }
  return 'has';
}

/** No addresses: that of the system. */
function dnsResolver(addresses: readonly string[]): Asked {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  if (addresses.length > 0) resolver.setServers([...addresses]);
  return resolver;
}
