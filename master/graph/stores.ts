// Places for backups: which file service takes them, and which services lead to one place. Pure.
import { sha256Hex } from '../../shared/digest.ts';
import type { ServiceRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { SHARE } from './cluster-rules.ts';
import { type Graph, isCluster } from './graph.ts';
import { onlyOne } from './only-one.ts';
import { requireUsable } from './rules.ts';

/** What is one place, however many services lead to it: who removes chunks there must know everybody who brings some. */
export function placeOf(one: ServiceRecord): string {
  const { id, engine, settings } = one;
  const share = settings[SHARE] ?? '';
  if (engine === 'mount' && share !== '') return `share/${share}`;
  const path = directoryOf(one);
  if (path !== undefined) return `directory/${one.serverId}${path}`;
  if (engine === 'sftp' || engine === 'scp') {
    return `ssh/${settings['host'] ?? ''}:${settings['port'] ?? '22'}/${settings['path'] ?? ''}`;
  }
  const url = settings['url'] ?? '';
  if ((engine === 'git' || engine === 'subversion') && /^[a-z+]+:\/\/|^[^/]+:/.test(url) && !url.startsWith('file:')) {
    return `${engine}/${url}`;
  }
  return `service/${id}`;
}

/**
 * Where a service's bytes lie, as its settings say: two of one service that differ here are two places, also where people say
 * that both are one share.
 */
export function bytesAt({ id, engine, instance, settings }: ServiceRecord): string {
  const said = (...keys: readonly string[]) => JSON.stringify([engine, ...keys.map((key) => settings[key] ?? '')]);
  const tidy = (path: string | undefined) => JSON.stringify([engine, path?.replace(/(?<=.)\/+$/, '') ?? id]);
  if (engine === 'mount') return tidy(settings['path'] ?? instance);
  if (engine === 'mesh') return tidy(settings['root']);
  if (engine === 'sftp' || engine === 'scp') return `${said('host', 'user', 'path')} ${settings['port'] ?? '22'}`;
  if (engine === 'git') return `${said('url')} ${settings['branch'] ?? 'aegir'}`;
  return engine === 'subversion' ? said('url') : id;
}

/** That a person named; undefined where the agent chose one for the service alone. */
function directoryOf({ engine, instance, settings }: ServiceRecord): string | undefined {
  const path = engine === 'mount' ? (settings['path'] ?? instance) : engine === 'mesh' ? settings['root'] : undefined;
  return path?.startsWith('/') ? path.replace(/\/+$/, '') : undefined;
}

/** Others that keep their backups where this one does, of which it is not said that they are one: names for a warning. */
export function sharingUnsaid(graph: Graph, service: ServiceRecord): readonly string[] {
  const [path, share] = [directoryOf(service), service.settings[SHARE] ?? ''];
  return graph.services
    .filter((other) => other.id !== service.id && other.type === 'file')
    .filter((other) => {
      const said = service.engine === 'mount' && share !== '' && other.settings[SHARE] === share;
      const here = other.serverId === service.serverId && path !== undefined && directoryOf(other) === path;
      return !(said && other.serverId !== service.serverId) && (here || (!said && placeOf(other) === placeOf(service)));
    })
    .map((other) => graph.serviceName(other));
}

/** All services that lead to the same place. */
export function servicesAt(graph: Graph, service: ServiceRecord): readonly ServiceRecord[] {
  const place = placeOf(service);
  return graph.services.filter((other) => other.type === 'file' && placeOf(other) === place);
}

/** Which backups are recorded as being there, those on their way in or out aside: one text for one set of them. */
export function setOf(backups: readonly BackupRecord[]): string {
  const there = backups.filter(({ state }) => ['ready', 'damaged', 'missing'].includes(state));
  return sha256Hex(
    there
      .map(({ id }) => id)
      .sort()
      .join(' '),
  );
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
  const named = ref !== '' ? graph.service(ref, 'file') : wanted === null ? undefined : graph.service(wanted);
  if (named !== undefined) {
    requireUsable(graph, named, 'file', what);
    return named;
  }
  return onlyOne(graph, offered(graph), {
    ...{ type: 'file', what, none: 'none is enabled; run: aegir service enable SERVER/mesh' },
    how: 'by --service, or for good by: aegir backup policy --service SERVER/ENGINE',
  });
}
