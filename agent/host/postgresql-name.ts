// Names of PostgreSQL's clusters: Debian's version and name, as systemd's unit and our daemon write them (15-main).
import type { DaemonName } from './host.ts';

export interface ClusterName {
  /** Major version, for example "15". */
  readonly version: string;
  readonly name: string;
}

const FORM = /^([1-9][0-9]?)-([A-Za-z0-9_][A-Za-z0-9_.-]{0,39})$/;

/** undefined for what is no cluster's name. */
export function parseCluster(instance: string): ClusterName | undefined {
  const [, version, name] = FORM.exec(instance) ?? [];
  return version === undefined || name === undefined ? undefined : { version, name };
}

export function clusterDaemon(instance: string): DaemonName {
  return `postgresql@${instance}`;
}

/** Instances among daemons, newest version first. */
export function clustersOf(daemons: readonly string[]): readonly string[] {
  const instances = daemons.filter((name) => name.startsWith('postgresql@')).map((name) => name.slice(11));
  return sortClusters(instances);
}

export function sortClusters(instances: readonly string[]): readonly string[] {
  const numberOf = (instance: string): number => Number(parseCluster(instance)?.version ?? 0);
  return [...instances].sort((a, b) => numberOf(b) - numberOf(a) || a.localeCompare(b, 'en'));
}
