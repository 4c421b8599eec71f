// The steps about clusters: their fronts are brought to the heads that the graph has, waited for, taken down; heads are
// recorded and forgotten.
import { AegirError } from '../../../shared/error.ts';
import type { HeadStatus } from '../../../shared/gen/aegir/v1/agent.ts';
import type { ClusterSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readServer, readService, refOf } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { clusterHead, clusterSpec } from '../spec.ts';

/** How often a front is asked again, ms. */
const ASK_AGAIN_MS = 1_000;
const ASK_TIMEOUT_MS = 10_000;

async function wanted(deps: HandlerDeps, clusterId: string): Promise<ClusterSpec> {
  const heads: ClusterSpec['heads'] = [];
  for (const head of await deps.store.heads.find({ clusterId })) {
    const service = await readService(deps.store, head.serviceId);
    const one = clusterHead(head, service, await readServer(deps.store, service.serverId));
    if (one !== undefined) heads.push(one);
  }
  return clusterSpec(await readService(deps.store, clusterId), heads);
}

async function applyRequest(deps: HandlerDeps, clusterId: string, preview: boolean): Promise<ActionRequest> {
  const service = await refOf(deps, await readService(deps.store, clusterId));
  return { $case: 'applyCluster', value: { service, preview, cluster: await wanted(deps, clusterId) } };
}

export function createClusterApply(deps: HandlerDeps): StepHandler<'cluster.apply'> {
  return {
    kind: 'cluster.apply',
    do: async ({ clusterId }, ctx) => {
      const { serverId } = await readService(deps.store, clusterId);
      await perform(deps, ctx, 'do', serverId, `service/${clusterId}`, await applyRequest(deps, clusterId, false));
      return { is: 'done' };
    },
    undo: { none: 'the step that notes it brings the front back' },
    preview: async ({ clusterId }) => {
      const { serverId } = await readService(deps.store, clusterId);
      return previewOn(deps, serverId, await applyRequest(deps, clusterId, true));
    },
  };
}

/** Stands before the steps that change the heads. Doing it does nothing; undone it comes last. */
export function createClusterRestore(deps: HandlerDeps): StepHandler<'cluster.restore'> {
  return {
    kind: 'cluster.restore',
    do: async () => ({ is: 'done' }),
    undo: async ({ clusterId }, ctx) => {
      const { serverId } = await readService(deps.store, clusterId);
      await perform(deps, ctx, 'undo', serverId, `service/${clusterId}`, await applyRequest(deps, clusterId, false));
      return { is: 'done' };
    },
  };
}

/** Undoing the creation of a cluster takes it off its front too: then this was the first step there. */
export function createClusterRemove(deps: HandlerDeps): StepHandler<'cluster.remove'> {
  const request = async (clusterId: string, preview: boolean) => {
    const service = await readService(deps.store, clusterId);
    const value = { service: await refOf(deps, service), preview };
    return { serverId: service.serverId, request: { $case: 'removeCluster' as const, value } };
  };
  return {
    kind: 'cluster.remove',
    do: async ({ clusterId, when }, ctx) => {
      if (when === 'undone') return { is: 'done' };
      const made = await request(clusterId, false);
      await perform(deps, ctx, 'do', made.serverId, `service/${clusterId}`, made.request);
      return { is: 'done' };
    },
    undo: async ({ clusterId, when }, ctx) => {
      if (when === 'done') return { is: 'done' };
      const made = await request(clusterId, false);
      await perform(deps, ctx, 'undo', made.serverId, `service/${clusterId}`, made.request);
      return { is: 'done' };
    },
    preview: async ({ clusterId, when }) => {
      if (when === 'undone') return [];
      const made = await request(clusterId, true);
      return previewOn(deps, made.serverId, made.request);
    },
  };
}

export function createClusterAwait(deps: HandlerDeps): StepHandler<'cluster.await'> {
  const look = async (clusterId: string, headServiceId: string): Promise<HeadStatus | undefined> => {
    const service = await readService(deps.store, clusterId);
    const result = await deps.agents.ask(
      service.serverId,
      { $case: 'clusterStatus', value: { service: await refOf(deps, service) } },
      ASK_TIMEOUT_MS,
    );
    if (result.outcome?.$case === 'error') throw new AegirError('unavailable', result.outcome.value.message);
    return result.outcome?.value.cluster?.heads.find((head) => head.serviceId === headServiceId);
  };
  return {
    kind: 'cluster.await',
    do: async ({ clusterId, headServiceId, until, seconds }, ctx) => {
      const head = await look(clusterId, headServiceId);
      const reached = until === 'healthy' ? head?.healthy === true : head === undefined || head.requests === 0n;
      if (reached) return { is: 'done' };
      const now =
        until === 'healthy' ? `its front says: ${head?.check || 'nothing yet'}` : `it works on ${head?.requests}`;
      if (ctx.now() < ctx.startedAt + seconds * 1000) {
        const what = until === 'healthy' ? 'the head to answer' : 'its last requests';
        return { is: 'wait', at: ctx.now() + ASK_AGAIN_MS, why: `waiting for ${what}: ${now}` };
      }
      if (until === 'empty') {
        const text = `after ${seconds} s the head still had requests (${now}); they are cut off`;
        ctx.emit({ $case: 'message', value: { kind: 'warning', text, value: '', expiresAt: undefined } });
        return { is: 'done' };
      }
      throw new AegirError(
        'failed_precondition',
        `cannot give the head requests: it was not healthy within ${seconds} s; ${now}; mend it, and see: aegir cluster show`,
      );
    },
    undo: { none: 'it only looks' },
  };
}

export function createClusterPause(): StepHandler<'cluster.pause'> {
  return {
    kind: 'cluster.pause',
    do: async ({ seconds }, ctx) => {
      const end = ctx.startedAt + seconds * 1000;
      if (ctx.now() >= end) return { is: 'done' };
      return { is: 'wait', at: end, why: 'visitors who are bound to the head may still come' };
    },
    undo: { none: 'time passed' },
  };
}

export function createHeadRecord({ store }: HandlerDeps): StepHandler<'head.record'> {
  return {
    kind: 'head.record',
    do: async ({ headId, to }) => {
      await store.heads.update(headId, { state: to });
      return { is: 'done' };
    },
    undo: async ({ headId, before }) => {
      if (before === 'absent') await store.heads.delete(headId);
      else if ((await store.heads.get(headId)) !== undefined) await store.heads.update(headId, { state: before });
      return { is: 'done' };
    },
    neverBegan: async ({ headId, before }) => {
      if (before === 'absent') await store.heads.delete(headId);
    },
  };
}

export function createHeadForget({ store }: HandlerDeps): StepHandler<'head.forget'> {
  return {
    kind: 'head.forget',
    do: async ({ headId }) => {
      await store.heads.delete(headId);
      return { is: 'done' };
    },
    undo: { none: 'nothing of it is left' },
  };
}
