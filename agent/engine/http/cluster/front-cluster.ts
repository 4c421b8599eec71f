// What a front keeps of one cluster: its heads and how they are checked. Pure; kept as JSON in a file of its own.
import { isIP } from 'node:net';
import type { ClusterSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { isId } from '../../../../shared/id.ts';

export interface FrontHead {
  readonly serviceId: string;
  readonly address: string;
  readonly port: number;
  readonly state: 'active' | 'draining' | 'out';
  readonly weight: number;
}

export interface FrontCluster {
  readonly clusterId: string;
  readonly heads: readonly FrontHead[];
  readonly checkMillis: number;
  readonly fall: number;
  readonly rise: number;
}

/** Heads in order of their ids: an order that changes is no change. */
export function frontCluster(clusterId: string, spec: ClusterSpec): FrontCluster {
  const heads = spec.heads.map(({ serviceId, address, port, state, weight }) => ({
    ...{ serviceId, address, port, weight },
    state: state as FrontHead['state'],
  }));
  heads.sort((a, b) => (a.serviceId < b.serviceId ? -1 : 1));
  return { clusterId, heads, checkMillis: spec.checkMillis, fall: spec.fall, rise: spec.rise };
}

export function clusterText(cluster: FrontCluster): string {
  return `${JSON.stringify(cluster, undefined, 2)}\n`;
}

/** undefined for what we did not write. */
export function parseCluster(text: string): FrontCluster | undefined {
  try {
    const cluster = JSON.parse(text) as FrontCluster;
    const whole = (n: number, least: number, most: number) => Number.isInteger(n) && n >= least && n <= most;
    const good =
      isId('svc', cluster.clusterId) &&
      whole(cluster.checkMillis, 200, 60_000) &&
      whole(cluster.fall, 1, 10) &&
      whole(cluster.rise, 1, 10) &&
      cluster.heads.every(
        ({ serviceId, address, port, state, weight }) =>
          isId('svc', serviceId) &&
          isIP(address) !== 0 &&
          whole(port, 1, 65_535) &&
          whole(weight, 1, 100) &&
          ['active', 'draining', 'out'].includes(state),
      );
    return good ? cluster : undefined;
  } catch {
    return undefined;
  }
}
