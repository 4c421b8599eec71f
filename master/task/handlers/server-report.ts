// The steps that end a server's verify: its ports from elsewhere, the report of all that was found, and whether errors remain.
import { AegirError } from '../../../shared/error.ts';
import { judgeCertificates } from '../../report/certificates.ts';
import { isOpen, makeReport, type ReportFinding } from '../../report/finding.ts';
import { judgePorts, type PortAnswerWord, type PortLook, portLooks } from '../../report/ports.ts';
import { judgePresence, seenOf } from '../../report/presence.ts';
import { judgeVersions } from '../../report/versions.ts';
import type { JsonObject } from '../../store/model.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { newestReport, reportIn } from '../reports.ts';
import { tell } from './verify-part.ts';

const ASK_MS = 15_000;
const TOLD = 3;

export function createServerPorts(deps: HandlerDeps): StepHandler<'server.ports'> {
  return {
    kind: 'server.ports',
    async do(args, ctx) {
      const graph = await deps.graph();
      const looks = portLooks(graph, graph.server(args.serverId), (id) => deps.agents.isConnected(id));
      const answers = new Map<PortLook, PortAnswerWord>();
      const askers = [...new Set(looks.map(({ from }) => from))];
      await Promise.all(
        askers.map(async (from) => {
          const own = looks.filter((look) => look.from === from);
          const told = from === '' ? await fromHere(deps, own, ctx.signal) : await fromAgent(deps, from, own);
          for (const [at, look] of own.entries()) {
            const answer = told[at];
            if (answer !== undefined) answers.set(look, answer);
          }
        }),
      );
      ctx.signal.throwIfAborted();
      const given = looks.map((look) => answers.get(look));
      return { is: 'done', result: { findings: tell(judgePorts(graph, looks, given), ctx) } };
    },
    undo: { none: 'it only looks' },
  };
}

async function fromHere(deps: HandlerDeps, looks: readonly PortLook[], signal: AbortSignal) {
  return Promise.all(looks.map(({ address, port }) => deps.knock(address, port, signal)));
}

/** Nothing from one who is away, or too old to know the question. */
async function fromAgent(
  deps: HandlerDeps,
  serverId: string,
  looks: readonly PortLook[],
): Promise<readonly (PortAnswerWord | undefined)[]> {
  const targets = looks.map(({ address, port }) => ({ address, port }));
  try {
    const { outcome } = await deps.agents.ask(serverId, { $case: 'probePorts', value: { targets } }, ASK_MS);
    const ports = outcome?.$case === 'ok' ? outcome.value.ports : [];
    return targets.map(({ address, port }) => {
      const told = ports.find((each) => each.address === address && each.port === port)?.answer;
      return (['open', 'refused', 'silent', 'unreachable'] as const).find((word) => word === told);
    });
  } catch {
    return targets.map(() => undefined);
  }
}

export function createServerReport(deps: HandlerDeps): StepHandler<'server.report'> {
  return {
    kind: 'server.report',
    async do(args, ctx) {
      const graph = await deps.graph();
      const server = graph.server(args.serverId);
      const now = ctx.now();
      const before = await newestReport(deps.store, server.id, ctx.taskId);
      const own = [
        ...judgeCertificates(graph, server, now),
        ...judgePresence(graph, server, before?.report.seen),
        ...judgeVersions(server.facts, graph.servicesOf(server.id), now),
      ];
      tell(own, ctx);
      const found = [...findingsIn(ctx.results), ...own];
      const about = { serverId: server.id, madeAt: now, checkOnly: args.checkOnly, seen: seenOf(graph, server) };
      const report = makeReport(about, [...found, ...soundSites(ctx.results, found)]);
      for (const { severity, subject, text, repaired } of report.findings) {
        if (repaired || severity !== 'warning') continue;
        const value = { kind: 'warning', text: `${subject}: ${text}`, value: '', expiresAt: undefined };
        ctx.emit({ $case: 'message', value });
      }
      return { is: 'done', result: { report: report as unknown as JsonObject } };
    },
    undo: { none: 'a report is kept with its task' },
  };
}

function findingsIn(results: ReadonlyMap<number, JsonObject>): readonly ReportFinding[] {
  return [...results.values()].flatMap((result) => (result['findings'] as readonly ReportFinding[] | undefined) ?? []);
}

/** Sites that were looked at and of which nothing was to be said: one line for all. */
function soundSites(
  results: ReadonlyMap<number, JsonObject>,
  found: readonly ReportFinding[],
): readonly ReportFinding[] {
  const said = new Set(found.filter(({ group }) => group === 'site').map(({ subject }) => subject));
  const sites = new Set(
    [...results.values()].flatMap((result) => (typeof result['site'] === 'string' ? [result['site']] : [])),
  );
  const sound = [...sites].filter((name) => !said.has(name)).length;
  if (sound === 0) return [];
  const text = 'their databases, settings and virtual hosts are as declared';
  const subject = sound === 1 ? '1 site' : `${sound} sites`;
  return [
    {
      ...{ group: 'site', severity: 'ok', code: 'site.sound', subject, text, advice: '', changes: [], repaired: false },
    },
  ];
}

export function createServerJudge({ store }: HandlerDeps): StepHandler<'server.judge'> {
  return {
    kind: 'server.judge',
    async do(args, ctx) {
      const report = reportIn(ctx.results.get(ctx.step - 1) ?? null);
      const errors = report?.findings.filter((each) => isOpen(each) && each.severity === 'error') ?? [];
      if (report !== undefined && report.errors === 0) return { is: 'done' };
      const name = (await store.servers.get(args.serverId))?.name ?? args.serverId;
      const list = errors.slice(0, TOLD).map(({ subject, text }) => `${subject}: ${text}`);
      const more = errors.length > TOLD ? `; and ${errors.length - TOLD} more` : '';
      throw new AegirError(
        'failed_precondition',
        `cannot call ${name} well: ${list.join('; ') || 'there is no report'}${more}; see: aegir server report ${name}`,
      );
    },
    undo: { none: 'it only looks' },
  };
}
