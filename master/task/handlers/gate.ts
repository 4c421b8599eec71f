// The steps about the gate, in which visitors wait while their site moves.
import { AegirError } from '../../../shared/error.ts';
import { timeSpan } from '../../../shared/for-people.ts';
import type { GateFacts, SetGateRequest } from '../../../shared/gen/aegir/v1/move.ts';
import { counted } from '../../../shared/words.ts';
import type { JsonObject } from '../../store/model.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { type HandlerDeps, readServer, readService, refOf } from '../parts.ts';
import { perform } from '../perform.ts';
import { upstreamSpec } from '../spec.ts';

/** More are refused; each costs some kilobytes of the agent. */
const MOST_HELD = 10_000;
const LOOK_AGAIN_MS = 1_000;
/** Workers of before the reload still lead to the gate for a moment. */
const STILL_MS = 2_000;
/** What a gate still hands on after so long are uploads and websockets of hours: they end. */
const MOST_DRAIN_MS = 3_600_000;
/** An undo may not sleep durably: it looks for so long. */
const UNDO_LOOKS = 120;
const UNDO_LOOK_MS = 500;

type Phase = { readonly phase: 'hold'; readonly maxHoldMillis: number } | { readonly phase: 'closed' | 'refuse' };

async function setGate(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  { siteId, serviceId }: { readonly siteId: string; readonly serviceId: string },
  phase: Phase | { readonly phase: 'forward'; readonly to: string },
  part: string,
): Promise<GateFacts> {
  const service = await readService(deps.store, serviceId);
  let upstream: SetGateRequest['upstream'];
  if (phase.phase === 'forward') {
    const there = await readService(deps.store, phase.to);
    upstream = upstreamSpec(there, await readServer(deps.store, there.serverId));
  }
  const value: SetGateRequest = {
    service: await refOf(deps, service),
    siteId,
    phase: phase.phase,
    upstream,
    maxHeld: MOST_HELD,
    maxHoldMillis: phase.phase === 'hold' ? phase.maxHoldMillis : 600_000,
  };
  const { output } = await perform(
    deps,
    ctx,
    direction,
    service.serverId,
    `site/${siteId}`,
    { $case: 'setGate', value },
    part,
  );
  if (output.gate !== undefined) return output.gate;
  throw new AegirError('internal', 'cannot read how the gate stands: the agent did not say; update the agent');
}

export function createGateHold(deps: HandlerDeps): StepHandler<'gate.hold'> {
  return {
    kind: 'gate.hold',
    do: async (args, ctx) => {
      const facts = await setGate(deps, ctx, 'do', args, { phase: 'hold', maxHoldMillis: args.maxHoldMillis }, 'hold');
      // By the clock of its server, which may be wrong: they began to wait while this step was done.
      const since = facts.holdingSince?.getTime() ?? ctx.now();
      return { is: 'done', result: { at: Math.min(Math.max(since, ctx.startedAt), ctx.now()) } };
    },
    // The virtual host serves again by now: what waits is answered by it.
    undo: async (args, ctx) => {
      let refused = 0n;
      for (let look = 1; look <= UNDO_LOOKS; look++) {
        const to = { phase: 'forward', to: args.serviceId } as const;
        const facts = await setGate(deps, ctx, 'undo', args, to, `back${look}`);
        refused = facts.refused + facts.failed;
        if (facts.waiting === 0n) break;
        await pause(ctx.signal);
      }
      await setGate(deps, ctx, 'undo', args, { phase: 'closed' }, 'closed');
      // What is left to undo may wait for a server that does not answer.
      const came = refused === 0n ? '' : `; ${counted(refused, 'request')} of theirs had waited too long and got 503`;
      const text = `visitors are served where they were before${came}`;
      ctx.emit({ $case: 'log', value: { level: refused === 0n ? 'info' : 'warn', text } });
      return { is: 'done' };
    },
  };
}

export function createGateForward(deps: HandlerDeps): StepHandler<'gate.forward'> {
  return {
    kind: 'gate.forward',
    do: async (args, ctx) => {
      const facts = await setGate(deps, ctx, 'do', args, { phase: 'forward', to: args.to.http }, 'forward');
      return { is: 'done', result: resultOf(facts) };
    },
    undo: { none: 'from here on there is only forward' },
  };
}

export function createGateClose(deps: HandlerDeps): StepHandler<'gate.close'> {
  return {
    kind: 'gate.close',
    do: async ({ siteId, serviceId, to }, ctx) => {
      const of = { siteId, serviceId };
      const facts = await setGate(deps, ctx, 'do', of, { phase: 'forward', to: to.http }, 'look');
      const still = facts.lastAt === undefined || ctx.now() - facts.lastAt.getTime() >= STILL_MS;
      if ((facts.waiting > 0n || !still) && ctx.now() < ctx.startedAt + MOST_DRAIN_MS) {
        const why =
          facts.waiting > 0n
            ? `${counted(facts.waiting, 'request')} still on the way through the old server`
            : `a moment in which nobody comes through the old server`;
        return { is: 'wait', at: ctx.now() + LOOK_AGAIN_MS, why };
      }
      await setGate(deps, ctx, 'do', of, { phase: 'closed' }, 'closed');
      const text = `the gate held ${counted(facts.held, 'request')}, the longest for ${timeSpan(facts.longestMillis)}; handed on ${facts.forwarded}, refused ${facts.refused}, failed ${facts.failed}`;
      const bad = facts.refused > 0n || facts.failed > 0n;
      ctx.emit({ $case: 'log', value: { level: bad ? 'warn' : 'info', text } });
      return { is: 'done', result: resultOf(facts) };
    },
    undo: { none: 'from here on there is only forward' },
  };
}

function resultOf(facts: GateFacts): JsonObject {
  const { held, longestMillis, forwarded, refused, failed } = facts;
  return {
    ...{ held: Number(held), longestMillis: Number(longestMillis), forwarded: Number(forwarded) },
    ...{ refused: Number(refused), failed: Number(failed) },
  };
}

async function pause(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, UNDO_LOOK_MS);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
