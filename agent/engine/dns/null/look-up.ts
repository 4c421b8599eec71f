// Look-ups for the null engine: what the world answers for a name now.
import { Resolver } from 'node:dns/promises';

/** values: in lower case, without trailing dots; empty when the name or type does not exist. */
export type Answer = { readonly values: readonly string[] } | { readonly failed: string };
export type LookUp = (name: string, type: string) => Promise<Answer>;

const TIMEOUT_MS = 2000;
// No such name, no such record, and what c-ares says for them.
const EMPTY = new Set(['ENOTFOUND', 'ENODATA', 'NXDOMAIN']);

/** By these servers (IP addresses), or the system's. */
export function createLookUp(servers?: readonly string[]): LookUp {
  return async (name, type) => {
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
    if (servers !== undefined) resolver.setServers([...servers]);
    try {
      return { values: await ask(resolver, name, type) };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'no answer';
      return EMPTY.has(code) ? { values: [] } : { failed: `could not be looked up: ${code}` };
    }
  };
}

async function ask(resolver: Resolver, name: string, type: string): Promise<string[]> {
  const plain = (text: string) => text.toLowerCase().replace(/\.$/, '');
  switch (type) {
    case 'A':
      return resolver.resolve4(name);
    case 'AAAA':
      return (await resolver.resolve6(name)).map(plain);
    case 'CNAME':
      return (await resolver.resolveCname(name)).map(plain);
    case 'NS':
      return (await resolver.resolveNs(name)).map(plain);
    case 'MX':
      return (await resolver.resolveMx(name)).map((mx) => `${mx.priority} ${plain(mx.exchange)}`);
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((parts) => plain(parts.join('')));
    case 'SRV':
      return (await resolver.resolveSrv(name)).map(
        (srv) => `${srv.priority} ${srv.weight} ${srv.port} ${plain(srv.name)}`,
      );
    default:
      throw Object.assign(new Error(`type ${type} is not known`), { code: `type ${type} is not known` });
  }
}
