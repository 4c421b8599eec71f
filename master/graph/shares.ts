// Which services are the same tree on several servers, as people say by the setting share. Pure.
import type { ServiceRecord } from '../store/model.ts';
import type { Graph } from './graph.ts';

/** The other enabled mounts of the same share, on servers that can be asked. */
export function sharersOf(graph: Graph, service: ServiceRecord): readonly ServiceRecord[] {
  const share = service.settings['share'];
  if (service.type !== 'file' || service.engine !== 'mount' || share === undefined) return [];
  return graph
    .enabled('file')
    .filter((other) => other.id !== service.id && other.engine === 'mount' && other.settings['share'] === share);
}
