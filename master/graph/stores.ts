// Places for backups: which file service takes them, and which services lead to one place. Pure.
import type { ServiceRecord } from '../store/model.ts';
import { SHARE } from './cluster-rules.ts';
import { type Graph, isCluster } from './graph.ts';
import { onlyOne } from './only-one.ts';
import { requireUsable } from './rules.ts';

/** What is one place, however many services lead to it: who removes chunks there must know everybody who brings some. */
export function placeOf({ id, engine, settings }: ServiceRecord): string {
  const share = settings[SHARE] ?? '';
  if (engine === 'mount' && share !== '') return `share/${share}`;
  if (engine === 'sftp' || engine === 'scp') {
    return `ssh/${settings['host'] ?? ''}:${settings['port'] ?? '22'}/${settings['path'] ?? ''}`;
  }
  const url = settings['url'] ?? '';
  if ((engine === 'git' || engine === 'subversion') && /^[a-z+]+:\/\/|^[^/]+:/.test(url) && !url.startsWith('file:')) {
    return `${engine}/${url}`;
  }
  return `service/${id}`;
}

/** All services that lead to the same place. */
export function servicesAt(graph: Graph, service: ServiceRecord): readonly ServiceRecord[] {
  const place = placeOf(service);
  return graph.services.filter((other) => other.type === 'file' && placeOf(other) === place);
}

/** Those that nobody has to name: not what the heads of a cluster share, where the files of its sites are. */
function offered(graph: Graph): readonly ServiceRecord[] {
  const shares = new Set(graph.services.filter(isCluster).map(({ settings }) => settings[SHARE] ?? ''));
  return graph
    .enabled('file')
    .filter(({ engine, settings }) => engine !== 'mount' || !shares.has(settings[SHARE] ?? '-'));
}

/** Whether a backup has somewhere to go without a person naming it. */
export function hasStore(graph: Graph, wanted: string | null): boolean {
  return wanted !== null || offered(graph).length > 0;
}

/**
 * The one that ref names; else wanted (the id of the policy's); else the only one there is. Throws failed_precondition,
 * naming those that there are.
 */
export function chooseStore(graph: Graph, ref: string, wanted: string | null, what: string): ServiceRecord {
  const named = ref !== '' ? graph.service(ref) : wanted === null ? undefined : graph.service(wanted);
  if (named !== undefined) {
    requireUsable(graph, named, 'file', what);
    return named;
  }
  return onlyOne(graph, offered(graph), {
    ...{ type: 'file', what, none: 'none is enabled; run: aegir service enable SERVER/mesh' },
    how: 'by --service, or for good by: aegir backup policy --service SERVER/ENGINE',
  });
}
