// Who tells a person which records to set does so on the server that the site is on: the one that it left may go. Pure.
import type { ServiceRecord } from '../store/model.ts';
import type { Graph } from './graph.ts';

/** bound: the dns service of a site on server left. The one of server there that takes its place; undefined where none has to. */
export function dnsThere(
  graph: Graph,
  bound: string | undefined,
  left: string,
  there: string,
): ServiceRecord | undefined {
  if (bound === undefined || left === there) return undefined;
  const { engine, serverId } = graph.service(bound);
  if (engine !== 'null' || serverId !== left) return undefined;
  return graph.enabled('dns').find((each) => each.engine === 'null' && each.serverId === there);
}
