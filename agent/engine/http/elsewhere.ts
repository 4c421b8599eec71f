// Requests that a web server hands on must not come back to it: with each round they take another of its connections, and
// one visitor is enough to leave it none.
import { BlockList, isIP } from 'node:net';
import { AegirError } from '../../../shared/error.ts';
import type { Daemon, Host } from '../../host/host.ts';

export interface Place {
  readonly address: string;
  readonly port: number;
  /** 0 for none. */
  readonly tlsPort?: number;
}

/**
 * Throws failed_precondition when one of the places is where daemon itself listens. Another daemon of this host, by its port
 * or address, is elsewhere. doing: such as "lead visitors of example.org".
 */
export async function requireElsewhere(
  host: Host,
  daemon: Pick<Daemon, 'addresses' | 'port' | 'tlsPort'>,
  places: readonly (Place | undefined)[],
  doing: string,
): Promise<void> {
  const own = new Set([daemon.port, daemon.tlsPort]);
  const near = places
    .filter((place) => place !== undefined)
    .filter((place) => own.has(place.port) || own.has(place.tlsPort || -1));
  if (near.length === 0) return;
  const isOwn = await listensOn(host, daemon.addresses);
  const itself = near.find(({ address }) => isOwn(address));
  if (itself === undefined) return;
  throw new AegirError(
    'failed_precondition',
    `cannot ${doing}: it would hand them on to ${itself.address}, port ${itself.port}, which is this web server itself, and they would ` +
      'go round without end; the server that is meant has another address: see which it reports (aegir server show), and the log of the master',
  );
}

async function listensOn(host: Host, addresses: readonly string[]): Promise<(address: string) => boolean> {
  const list = new BlockList();
  const add = (address: string) => list.addAddress(address, familyOf(address));
  if (addresses.some((address) => address === '0.0.0.0' || address === '::')) {
    list.addSubnet('127.0.0.0', 8, 'ipv4');
    add('::1');
    const identity = await host.identity();
    for (const address of [...identity.addresses, ...identity.sourceAddresses]) add(address);
  }
  for (const address of addresses) add(address);
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
