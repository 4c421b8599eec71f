// The steps that prove a service: its engine's check, and whether several servers see one tree.
import { AegirError } from '../../../shared/error.ts';
import type { Finding } from '../../../shared/gen/aegir/v1/agent.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { type HandlerDeps, readServer, readService, refOf } from '../parts.ts';
import { perform } from '../perform.ts';

export function createServiceCheck(deps: HandlerDeps): StepHandler<'service.check'> {
  return {
    kind: 'service.check',
    do: async (args, ctx) => {
      const service = await readService(deps.store, args.serviceId);
      const errors = tellFindings(await askCheck(deps, ctx, args.serviceId), ctx);
      if (errors.length === 0) return { is: 'done' };
      const { name } = await readServer(deps.store, service.serverId);
      const instance = service.instance === '' ? '' : `:${service.instance}`;
      throw new AegirError(
        'failed_precondition',
        `cannot use ${name}/${service.engine}${instance}: ${errors.join('; ')}`,
      );
    },
    undo: { none: 'it removes what it wrote' },
  };
}

const MAX_ZONES = 1000;

/** What the engine's check finds. */
export async function askCheck(deps: HandlerDeps, ctx: StepContext, serviceId: string): Promise<readonly Finding[]> {
  const service = await readService(deps.store, serviceId);
  const zones = service.type === 'dns' ? await deps.store.zones.find({ serviceId, state: 'active' }) : [];
  const names = zones.slice(0, MAX_ZONES).map(({ name }) => name);
  const request = { $case: 'checkService' as const, value: { service: await refOf(deps, service), zones: names } };
  const { output } = await perform(deps, ctx, 'do', service.serverId, `service/${serviceId}`, request);
  return output.findings;
}

/** Findings become log lines; what is not well is told to the person. Answers the errors. */
export function tellFindings(findings: readonly Finding[], ctx: StepContext): readonly string[] {
  const errors: string[] = [];
  for (const finding of findings) {
    const advice = finding.advice === '' ? '' : `; ${finding.advice}`;
    const line = `${finding.subject}: ${finding.text}${advice}`;
    const level =
      finding.level === 'ok' || finding.level === 'info' ? 'info' : finding.level === 'warning' ? 'warn' : 'error';
    ctx.emit({ $case: 'log', value: { level, text: line } });
    if (level === 'error') errors.push(line);
    if (level === 'warn')
      ctx.emit({ $case: 'message', value: { kind: 'warning', text: line, value: '', expiresAt: undefined } });
  }
  return errors;
}

type Verb = 'leave' | 'look' | 'forget';

async function probe(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  verb: Verb,
  args: { readonly serviceId: string; readonly token: string },
) {
  const service = await readService(deps.store, args.serviceId);
  const value = { service: await refOf(deps, service), verb, token: args.token };
  return perform(deps, ctx, direction, service.serverId, `service/${args.serviceId}`, { $case: 'probeShare', value });
}

export function createShareLeave(deps: HandlerDeps): StepHandler<'share.leave'> {
  return {
    kind: 'share.leave',
    do: async (args, ctx) => {
      await probe(deps, ctx, 'do', 'leave', args);
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      await probe(deps, ctx, 'undo', 'forget', args);
      return { is: 'done' };
    },
  };
}

/** What it saw is its result: all servers are asked before anybody is blamed. */
export function createShareLook(deps: HandlerDeps): StepHandler<'share.look'> {
  return {
    kind: 'share.look',
    do: async (args, ctx) => {
      const { output } = await probe(deps, ctx, 'do', 'look', args);
      const [finding] = output.findings;
      if (finding === undefined) throw new AegirError('internal', 'cannot look for the token: the agent said nothing');
      ctx.emit({ $case: 'log', value: { level: finding.level === 'ok' ? 'info' : 'error', text: finding.text } });
      return { is: 'done', result: { wrong: finding.level === 'ok' ? '' : finding.text } };
    },
    undo: { none: 'it removes what it wrote' },
  };
}

export function createShareJudge(deps: HandlerDeps): StepHandler<'share.judge'> {
  return {
    kind: 'share.judge',
    do: async (args, ctx) => {
      await probe(deps, ctx, 'do', 'forget', args);
      // The looks are the steps right before.
      const from = ctx.step - args.lookers.length;
      const wrong = args.lookers.flatMap((name, at) => {
        const why = ctx.results.get(from + at)?.['wrong'];
        return why === '' ? [] : [`${name}: ${typeof why === 'string' ? why : 'it was not asked'}`];
      });
      if (wrong.length === 0) return { is: 'done' };
      throw new AegirError('failed_precondition', `cannot call share ${args.share} one tree: ${wrong.join('; ')}`);
    },
    undo: { none: 'there is nothing left of it' },
  };
}
