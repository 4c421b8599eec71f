// Puts an inventory into the graph, whole or not at all.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { Inventory } from '../../shared/gen/aegir/v1/agent.ts';
import { makeId } from '../../shared/id.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import { believed, checkFacts, checkServices } from './inventory-check.ts';
import { reconcile } from './reconcile.ts';
import type { SessionLog } from './status.ts';
import { withoutTaken } from './taken-addresses.ts';

export interface InventoryDeps {
  readonly store: Store;
  readonly log: SessionLog;
  now(): number;
}

/** peer: where the agent's connection came from, address:port. Answers the server as it is then; throws permission_denied when it was revoked. */
export async function storeInventory(
  deps: InventoryDeps,
  serverId: string,
  inventory: Inventory | undefined,
  peer: string,
): Promise<ServerRecord> {
  if (inventory === undefined) {
    throw new AegirError('invalid_argument', 'cannot take the inventory: it is missing');
  }
  const facts = checkFacts(inventory.facts, deps.log, peer);
  const detected = checkServices(inventory.services, deps.log);
  const newIds = detected.map(() => makeId('svc', deps.now(), randomBytes(7)));
  return deps.store.transaction(async (tx) => {
    const server = await tx.servers.get(serverId);
    if (server === undefined || server.state === 'revoked') {
      throw new AegirError('permission_denied', 'cannot take the inventory: the server was revoked');
    }
    // An agent looks while its link is down, too, and says so when that is up again; what leads to its server stays known.
    const known = {
      ...facts,
      ...(facts.addresses.length === 0 ? { addresses: believed(server.facts.addresses, peer) } : {}),
      ...(facts.sourceAddresses.length === 0 ? { sourceAddresses: believed(server.facts.sourceAddresses, peer) } : {}),
    };
    const change = { facts: await withoutTaken(tx, server, known, deps.log), lastSeenAt: deps.now() };
    await tx.servers.update(serverId, change);
    const { insert, update, remove } = reconcile(serverId, await tx.services.find({ serverId }), detected, newIds);
    for (const each of update) await tx.services.update(each.id, each.patch);
    for (const id of remove) await tx.services.delete(id);
    for (const service of insert) await tx.services.insert(service);
    return { ...server, ...change };
  });
}
