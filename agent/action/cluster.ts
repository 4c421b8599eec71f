// apply-cluster, remove-cluster, cluster-status: the front of a cluster of web servers, by the service's engine.
import { AegirError } from '../../shared/error.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { type Engine, type Fronting, isFront } from '../engine/engine.ts';
import { type ActionHandler, engineFor, previewOrRun, type Tools } from './action.ts';

export function createApplyCluster(): ActionHandler<'applyCluster'> {
  return {
    kind: 'applyCluster',
    label: () => 'apply-cluster',
    async run({ service, preview, cluster }, ctx, tools) {
      return previewOrRun(await front(tools, service).planCluster(service, cluster, ctx), preview, ctx);
    },
  };
}

export function createRemoveCluster(): ActionHandler<'removeCluster'> {
  return {
    kind: 'removeCluster',
    label: () => 'remove-cluster',
    async run({ service, preview }, ctx, tools) {
      return previewOrRun(await front(tools, service).removeCluster(service, ctx), preview, ctx);
    },
  };
}

export function createClusterStatus(): ActionHandler<'clusterStatus'> {
  return {
    kind: 'clusterStatus',
    label: () => 'cluster-status',
    async run({ service }, ctx, tools) {
      return { changes: [], cluster: await front(tools, service).clusterStatus(service, ctx) };
    },
  };
}

function front(tools: Tools, service: ServiceRef): Engine<'http'> & Fronting {
  const engine = engineFor(tools, service);
  if (isFront(engine)) return engine;
  throw new AegirError('failed_precondition', `cannot lead visitors to heads by ${engine.name}: it is no front`);
}
