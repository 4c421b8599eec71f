// An address of a server is that of one server alone: who says that he is at another's would have visitors, connections and
// rights of that one led to himself, or that one's visitors to itself again, round and round.
import { isIP, SocketAddress } from 'node:net';
import type { HostFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';
import { isNear } from './inventory-check.ts';
import type { SessionLog } from './status.ts';

/**
 * Facts of a server without the addresses that another accepted one had before. What an accepted server has already it
 * keeps. Loopback addresses are everybody's: several agents are on one machine then, by different ports or by `npm run up`.
 * What is left out the log tells, with the server that has it.
 */
export async function withoutTaken(
  tx: Pick<Tx, 'servers'>,
  server: Pick<ServerRecord, 'id' | 'state' | 'name' | 'facts'>,
  facts: HostFacts,
  log?: SessionLog,
): Promise<HostFacts> {
  const own = new Set(server.state === 'accepted' ? keysOf(server.facts) : []);
  const fresh = new Set(keysOf(facts).filter((key) => !own.has(key)));
  // Most inventories bring nothing new, and a fleet is large.
  if (fresh.size === 0) return facts;
  const taken = new Map<string, string>();
  for (const other of await tx.servers.find({ state: 'accepted' })) {
    if (other.id === server.id) continue;
    for (const key of keysOf(other.facts)) if (fresh.has(key)) taken.set(key, other.name);
  }
  if (taken.size === 0) return facts;
  log?.warn(
    { server: server.id, name: server.name, taken: Object.fromEntries(taken) },
    'left out addresses that other servers have; where such a server is gone, or was installed anew under another name: ' +
      'aegir server revoke NAME, then aegir server verify this one',
  );
  const left = (addresses: readonly string[]) => addresses.filter((address) => !taken.has(keyOf(address)));
  return { ...facts, addresses: left(facts.addresses), sourceAddresses: left(facts.sourceAddresses) };
}

function keysOf({ addresses, sourceAddresses }: HostFacts): readonly string[] {
  return [...addresses, ...sourceAddresses].filter((address) => isIP(address) !== 0 && !isNear(address)).map(keyOf);
}

/** One form for all that IPv6 may be written in. */
function keyOf(address: string): string {
  if (isIP(address) !== 6) return address;
  return new SocketAddress({ address, family: 'ipv6' }).address;
}
