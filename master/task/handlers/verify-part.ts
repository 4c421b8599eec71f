// One thing of a server's verify: a service's preparation, its check, or a part of a site. It is looked at first, and only what
// is wrong is done. Whatever comes out is a finding: the next thing is looked at too.
import { type AegirError, toAegirError } from '../../../shared/error.ts';
import type { Finding } from '../../../shared/gen/aegir/v1/agent.ts';
import type { StepArgs } from '../../plan/plan.ts';
import { finding, type Group, type ReportFinding, type Severity } from '../../report/finding.ts';
import type { JsonObject } from '../../store/model.ts';
import type { Handlers, StepContext, StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { askCheck } from './service-check.ts';

type Args = StepArgs['verify.part'];
/** Those that have a preview and do nothing when that is empty. */
export type Parts = Pick<Handlers, 'service.prepare' | 'db.create' | 'site.prepare' | 'http.publish'>;

/** Of one on the server itself: it may come back in a moment. */
const ATTEMPTS = 3;

export function createVerifyPart(deps: HandlerDeps, parts: Parts): StepHandler<'verify.part'> {
  const handlerOf = (args: Args) => {
    const { part } = args;
    return part.kind === 'service.check' ? undefined : (parts[part.kind] as unknown as StepHandler<'service.prepare'>);
  };
  return {
    kind: 'verify.part',
    async do(args, ctx) {
      try {
        const { part } = args;
        const found =
          part.kind === 'service.check'
            ? checked(args, await askCheck(deps, ctx, part.args.serviceId))
            : await compared(args, handlerOf(args), ctx);
        return { is: 'done', result: resultOf(args, tell(found, ctx)) };
      } catch (thrown) {
        const error = toAegirError(thrown, 'look at it');
        if (ctx.signal.aborted || error.code === 'cancelled') throw error;
        if (error.retryable && args.here && ctx.attempt < ATTEMPTS) throw error;
        return { is: 'done', result: resultOf(args, tell([failed(args, error)], ctx)) };
      }
    },
    undo: { none: 'it only brings back what is declared' },
    preview: async (args, signal) =>
      args.repair ? ((await handlerOf(args)?.preview?.(args.part.args as never, signal)) ?? []) : [],
  };
}

function resultOf({ group, subject }: Args, findings: readonly ReportFinding[]): JsonObject {
  return { findings, ...(group === 'site' ? { site: subject } : {}) };
}

async function compared(
  args: Args,
  handler: StepHandler<'service.prepare'> | undefined,
  ctx: StepContext,
): Promise<readonly ReportFinding[]> {
  const changes = (await handler?.preview?.(args.part.args as never, ctx.signal)) ?? [];
  const { group, subject, repair } = args;
  if (changes.length === 0) return [];
  if (repair) await handler?.do(args.part.args as never, ctx);
  const what = WHAT[args.part.kind];
  const text = repair ? `${what} was not as declared, and was repaired` : `${what} is not as declared`;
  const advice = repair ? '' : 'have it repaired: run the same without --check-only';
  return [finding(group, 'warning', `${group}.drift`, subject, text, { advice, changes, repaired: repair })];
}

const WHAT: Readonly<Record<Args['part']['kind'], string>> = {
  'service.prepare': 'its preparation',
  'service.check': 'it',
  'db.create': 'its database, or who may use it,',
  'site.prepare': 'its user, directories or settings',
  'http.publish': 'how it is served',
};

function failed({ group, subject, here, part }: Args, error: AegirError): ReportFinding {
  // Of another server that is away nothing is known: that is no error of this one.
  if (error.retryable && !here) {
    const text = `not known whether ${WHAT[part.kind]} is as declared: ${error.message}`;
    return finding(group, 'warning', `${group}.unknown`, subject, text, {
      advice: 'verify again when that server is back',
    });
  }
  return finding(group, 'error', `${group}.broken`, subject, error.message);
}

function checked(args: Args, findings: readonly Finding[]): readonly ReportFinding[] {
  return fromAgent(args.group, findings, args.subject);
}

/** What an agent said. subject: what its findings are about, where they do not say more than that. */
export function fromAgent(group: Group, findings: readonly Finding[], subject?: string): readonly ReportFinding[] {
  return findings.map(({ subject: own, level, text, code, advice }) => {
    const about = subject === undefined ? own : own.startsWith('service:') ? subject : `${subject} ${own}`;
    const severity = (['ok', 'info', 'warning', 'error'] as const).find((each) => each === level) ?? 'warning';
    const named = code === '' ? `${group}.${/^[a-z-]+/.exec(own)?.[0] ?? 'check'}` : code;
    return finding(group, severity satisfies Severity, named, about, text, { advice });
  });
}

/** Into the log; answers them. */
export function tell(findings: readonly ReportFinding[], ctx: StepContext): readonly ReportFinding[] {
  for (const { severity, subject, text, advice, repaired } of findings) {
    const level =
      repaired || severity === 'ok' || severity === 'info' ? 'info' : severity === 'warning' ? 'warn' : 'error';
    const line = `${subject}: ${text}${advice === '' ? '' : `; ${advice}`}`;
    ctx.emit({ $case: 'log', value: { level, text: line } });
  }
  return findings;
}
