// Reads the graph from the store.
import { createGraph, type Graph } from '../graph/graph.ts';
import { HIGHEST_UID } from '../store/site-table.ts';
import type { Tx } from '../store/store.ts';

export async function loadGraph(tx: Tx): Promise<Graph> {
  // One after the other: inside a transaction there is one connection.
  const servers = await tx.servers.find();
  const services = await tx.services.find();
  const platforms = await tx.platforms.find();
  const sites = await tx.sites.find();
  const clients = await tx.clients.find();
  const zones = await tx.zones.find();
  const records = await tx.records.find();
  const heads = await tx.heads.find();
  const highestUid = Number((await tx.settings.get(HIGHEST_UID))?.value ?? 0);
  return createGraph({ servers, services, platforms, sites, clients, zones, records, heads, highestUid });
}
