// Plans about clusters of web servers: create, add, drain, activate, remove a head, set, delete.
import { displayName } from '../../shared/name.ts';
import type { AppName } from '../../shared/vocabulary.ts';
import { APPS } from '../../shared/vocabulary.ts';
import { createGraph, type Graph } from '../graph/graph.ts';
import { handOver, type Role, writerOf } from '../graph/spread.ts';
import type { HeadRecord, ServiceRecord, SiteRecord } from '../store/model.ts';
import { enableStep, platformStep, prepareStep } from './change-server.ts';
import { httpUnpublish, siteRemove } from './change-site.ts';
import type { HeadState, Plan, PlanStep } from './plan.ts';
import { lostWarnings, type RoleSteps, roleSteps, syncStep, withRoles } from './spread.ts';
import { dbCreate, httpPublishOn, runsCron, sitePrepareOn, siteProbeOn } from './steps.ts';
import type { Verb } from './verbs.ts';

/** A head must be healthy within that, before it gets requests. */
const HEALTHY_SECONDS = 120;
/** What a head works on when it gets no more may take that long. */
const EMPTY_SECONDS = 120;

const LOOKS = { none: 'it only looks' } as const;

function plan(
  graph: Graph,
  cluster: ServiceRecord,
  verb: Verb,
  summary: string,
  steps: readonly PlanStep[],
  more?: Partial<Plan>,
): Plan {
  return {
    verb,
    subjectId: cluster.id,
    subject: graph.serviceName(cluster),
    summary,
    steps,
    warnings: [],
    pointOfNoReturn: null,
    locks: [`cluster/${cluster.id}`],
    ...more,
  };
}

/** Those that have something on the heads. */
function sitesOf(graph: Graph, cluster: ServiceRecord): readonly SiteRecord[] {
  return graph.sitesOnService(cluster.id);
}

function applyStep(graph: Graph, cluster: ServiceRecord): PlanStep {
  return {
    kind: 'cluster.apply',
    args: { clusterId: cluster.id },
    summary: `Have ${graph.serviceName(cluster)} lead visitors to its heads as recorded`,
    serverId: cluster.serverId,
    undo: { none: 'the step that notes it brings the front back' },
  };
}

function restoreStep(graph: Graph, cluster: ServiceRecord): PlanStep {
  return {
    kind: 'cluster.restore',
    args: { clusterId: cluster.id },
    summary: `Note the heads of ${graph.serviceName(cluster)}`,
    serverId: cluster.serverId,
    undo: { summary: 'lead visitors to these again' },
  };
}

function awaitStep(graph: Graph, cluster: ServiceRecord, head: HeadRecord, until: 'healthy' | 'empty'): PlanStep {
  const name = graph.serviceName(graph.service(head.serviceId));
  const seconds = until === 'healthy' ? HEALTHY_SECONDS : EMPTY_SECONDS;
  return {
    kind: 'cluster.await',
    args: { clusterId: cluster.id, headServiceId: head.serviceId, until, seconds },
    summary:
      until === 'healthy'
        ? `Wait until the front finds ${name} healthy`
        : `Wait until ${name} has answered the requests that it has (${seconds} s at most)`,
    serverId: cluster.serverId,
    undo: LOOKS,
  };
}

function headStep(graph: Graph, head: HeadRecord, to: HeadState, before: HeadState | 'absent'): PlanStep {
  const name = graph.serviceName(graph.service(head.serviceId));
  return {
    kind: 'head.record',
    args: { headId: head.id, to, before },
    summary: `Record ${name} as ${to}`,
    serverId: null,
    undo: { summary: before === 'absent' ? 'forget it as a head' : `record it as ${before}` },
  };
}

/** Undone before the head is forgotten: it is left out by its name. */
function restoreGrants(graph: Graph, sites: readonly SiteRecord[], without: ServiceRecord): readonly PlanStep[] {
  return sites.flatMap((site): readonly PlanStep[] => {
    if (site.bindings.db === undefined) return [];
    const service = graph.service(site.bindings.db);
    return [
      {
        kind: 'site.restore',
        args: { siteId: site.id, part: { of: 'db', serviceId: service.id, without: without.id } },
        summary: `Note who may use the database of ${displayName(site.name)} on ${graph.serviceName(service)}`,
        serverId: service.serverId,
        undo: { summary: 'allow these and no others' },
      },
    ];
  });
}

/** A head that is recorded as joining gets everything, and then requests. graph holds it. */
function bringSteps(graph: Graph, cluster: ServiceRecord, head: HeadRecord): readonly PlanStep[] {
  const service = graph.service(head.serviceId);
  const platforms = graph
    .platformsOnService(cluster.id)
    .map((platform) => platformStep(graph, platform, service.serverId, false, platform.state === 'verified'));
  const sites = sitesOf(graph, cluster).flatMap((site): readonly PlanStep[] => {
    const state = site.state === 'disabled' ? 'disabled' : 'enabled';
    return [
      ...dbCreate(graph, site, 'present'),
      sitePrepareOn(graph, site, service.serverId, 'absent', true),
      ...bringFiles(graph, site, service, false),
      httpPublishOn(graph, site, service, state, 'absent'),
      ...(state === 'enabled' ? [siteProbeOn(graph, site, service)] : []),
    ];
  });
  return [
    ...platforms,
    ...sites,
    headStep(graph, head, 'active', 'joining'),
    applyStep(graph, cluster),
    awaitStep(graph, cluster, head, 'healthy'),
  ];
}

/** Where heads have files of their own: it has those of the site before it answers for it. */
function bringFiles(graph: Graph, site: SiteRecord, head: ServiceRecord, discard: boolean): readonly PlanStep[] {
  const writer = writerOf(graph, site);
  if (writer === undefined || writer.id === head.id) return [];
  return [syncStep(graph, site, [head], { must: true, discard, what: '' })];
}

/** cluster and heads are saved with the task; graph holds them. */
export function planCreateCluster(graph: Graph, cluster: ServiceRecord, heads: readonly HeadRecord[]): Plan {
  const [prepare, enable] = [prepareStep(graph, cluster), enableStep(graph, cluster)];
  const name = graph.serviceName(cluster);
  return plan(graph, cluster, 'cluster.create', `Create cluster ${name}`, [
    {
      kind: 'service.declare',
      args: { serviceId: cluster.id },
      summary: `Record ${name} as declared`,
      serverId: null,
      undo: { summary: 'forget it' },
    },
    prepare,
    {
      kind: 'cluster.remove',
      args: { clusterId: cluster.id, when: 'undone' },
      summary: `Note that ${name} is not there yet`,
      serverId: cluster.serverId,
      undo: { summary: 'take it off its front' },
    },
    ...heads.map((head) => headStep(graph, head, 'active', 'absent')),
    applyStep(graph, cluster),
    ...heads.map((head) => awaitStep(graph, cluster, head, 'healthy')),
    enable,
  ]);
}

/** head is saved with the task as joining; graph holds it. */
export function planAddHead(graph: Graph, cluster: ServiceRecord, head: HeadRecord): Plan {
  const sites = sitesOf(graph, cluster);
  const service = graph.service(head.serviceId);
  return plan(
    graph,
    cluster,
    'cluster.add',
    `Add ${graph.serviceName(service)} to cluster ${cluster.instance} with its ${sites.length} sites`,
    [
      headStep(graph, head, 'joining', 'absent'),
      ...restoreGrants(graph, sites, service),
      restoreStep(graph, cluster),
      ...bringSteps(graph, cluster, head),
    ],
    { locks: locksOf(cluster, sites) },
  );
}

/** Visitors who are bound to a head come back to it that long, where apps keep their sessions there. */
function bound(graph: Graph, cluster: ServiceRecord): boolean {
  return graph
    .platformsOnService(cluster.id)
    .some(({ app }) => app !== '' && APPS[app as AppName].sessions === 'files');
}

function drainSteps(
  graph: Graph,
  cluster: ServiceRecord,
  head: HeadRecord,
  patience: number,
  next: 'out' | 'leaving',
  abandoned: boolean,
): RoleSteps & { readonly roles: readonly Role[] } {
  const roles = handOver(graph, cluster, graph.service(head.serviceId));
  const handed = roleSteps(graph, roles, abandoned, 0);
  if (head.state === 'out' && next === 'out') return { ...handed, roles };
  const steps: PlanStep[] = [...handed.steps, restoreStep(graph, cluster)];
  let now: HeadState = head.state;
  const waits = patience > 0 && bound(graph, cluster) && now !== 'out';
  if (waits) {
    steps.push(headStep(graph, head, 'draining', now), applyStep(graph, cluster), {
      kind: 'cluster.pause',
      args: { clusterId: cluster.id, seconds: patience },
      summary: `Give visitors who are bound to it ${patience} s to end`,
      serverId: null,
      undo: { none: 'time passed' },
    });
    now = 'draining';
  }
  if (now !== 'out') {
    steps.push(headStep(graph, head, 'out', now), applyStep(graph, cluster));
    if (!abandoned) steps.push(awaitStep(graph, cluster, head, 'empty'));
  }
  return { steps, noReturn: handed.noReturn, roles };
}

/** abandoned: its server does not answer; other heads go on with the files that they have. */
export function planDrainHead(
  graph: Graph,
  cluster: ServiceRecord,
  head: HeadRecord,
  patience: number,
  abandoned: boolean,
): Plan {
  const service = graph.service(head.serviceId);
  const name = graph.serviceName(service);
  const { steps, noReturn, roles } = drainSteps(graph, cluster, head, abandoned ? 0 : patience, 'out', abandoned);
  const summary =
    steps.length === 0 ? `${name} gets no requests already: nothing to do` : `Lead no more visitors to ${name}`;
  return plan(graph, cluster, 'cluster.drain', summary, steps, {
    locks: locksOf(
      cluster,
      roles.map(({ site }) => site),
    ),
    pointOfNoReturn: noReturn,
    warnings: abandoned ? lostWarnings(graph, roles, service) : [],
  });
}

/** Last: until then it counts as a head whose files nobody else has. */
function tidySteps(graph: Graph, sites: readonly SiteRecord[], head: ServiceRecord): readonly PlanStep[] {
  const had = sites.filter(({ spread }) => spread?.kept.includes(head.id) === true);
  if (had.length === 0) return [];
  return [
    {
      kind: 'spread.tidy',
      args: { head: head.id, siteIds: had.map(({ id }) => id) },
      summary: `Record that ${graph.serviceName(head)} has no files any more that are nowhere else`,
      serverId: null,
      undo: { summary: 'record that it may have' },
    },
  ];
}

/** discard: what it alone has of sites is thrown away. */
export function planActivateHead(graph: Graph, cluster: ServiceRecord, head: HeadRecord, discard: boolean): Plan {
  const service = graph.service(head.serviceId);
  const name = graph.serviceName(service);
  const sites = sitesOf(graph, cluster).filter((site) => bringFiles(graph, site, service, discard).length > 0);
  const steps =
    head.state === 'active'
      ? []
      : [
          ...sites.flatMap((site) => {
            const served = site.state === 'disabled' ? 'disabled' : 'enabled';
            return [httpPublishOn(graph, site, service, served, served), ...bringFiles(graph, site, service, discard)];
          }),
          restoreStep(graph, cluster),
          headStep(graph, head, 'active', head.state),
          applyStep(graph, cluster),
          awaitStep(graph, cluster, head, 'healthy'),
          ...tidySteps(graph, sites, service),
        ];
  const summary =
    steps.length === 0 ? `${name} gets requests already: nothing to do` : `Lead visitors to ${name} again`;
  return plan(graph, cluster, 'cluster.activate', summary, steps, { locks: locksOf(cluster, sites) });
}

function without(graph: Graph, gone: HeadRecord): Graph {
  const heads = graph.heads.map((head) => (head.id === gone.id ? { ...head, state: 'leaving' as const } : head));
  return createGraph({ ...graph, heads });
}

/** The head that left ran the site's cron: another one does it now. */
function takeCron(graph: Graph, after: Graph, site: SiteRecord, left: ServiceRecord): readonly PlanStep[] {
  const [next] = after.webServersOf(after.service(site.bindings.http));
  // Who takes writes now runs it by that.
  if (next === undefined || !runsCron(graph, site, left) || writerOf(graph, site) !== undefined) return [];
  const state = site.state === 'disabled' ? 'disabled' : 'enabled';
  return [httpPublishOn(after, site, next, state, state)];
}

/** abandoned: its server does not answer any more; nothing is done there. */
export function planRemoveHead(
  graph: Graph,
  cluster: ServiceRecord,
  head: HeadRecord,
  patience: number,
  abandoned: boolean,
): Plan {
  const service = graph.service(head.serviceId);
  const name = graph.serviceName(service);
  const sites = sitesOf(graph, cluster);
  const {
    steps: drain,
    noReturn,
    roles,
  } = drainSteps(graph, cluster, head, abandoned ? 0 : patience, 'leaving', abandoned);
  const after = withRoles(without(graph, head), roles);
  const off = sites.flatMap((site): readonly PlanStep[] => [
    ...(abandoned ? [] : [httpUnpublish(graph, site, service), siteRemove(graph, site, service.serverId, true)]),
    ...dbCreate(graph, site, 'present'),
    ...takeCron(graph, after, site, service),
  ]);
  return plan(
    graph,
    cluster,
    'cluster.remove',
    `Remove ${name} from cluster ${cluster.instance}`,
    [
      ...drain,
      headStep(graph, head, 'leaving', head.state),
      applyStep(graph, cluster),
      ...off,
      {
        kind: 'head.forget',
        args: { headId: head.id },
        summary: `Forget ${name} as a head`,
        serverId: null,
        undo: { none: 'nothing of it is left' },
      },
    ],
    {
      locks: locksOf(cluster, sites),
      pointOfNoReturn: noReturn ?? drain.length,
      warnings: abandoned
        ? [
            ...lostWarnings(graph, roles, service),
            `What ${name} has of the sites stays there: wipe it before it is used again.`,
          ]
        : [],
    },
  );
}

/** Changed settings, or a front and heads that drifted: everything is brought to the records. */
export function planVerifyCluster(graph: Graph, cluster: ServiceRecord): Plan {
  const prepare = prepareStep(graph, cluster);
  const heads = graph.headsOf(cluster.id).filter((head) => head.state === 'active');
  return plan(graph, cluster, 'cluster.verify', `Verify the front of ${graph.serviceName(cluster)}`, [
    prepare,
    applyStep(graph, cluster),
    ...heads.map((head) => awaitStep(graph, cluster, head, 'healthy')),
  ]);
}

/** Refused while sites or platforms are on it. */
export function planDeleteCluster(graph: Graph, cluster: ServiceRecord): Plan {
  const name = graph.serviceName(cluster);
  return plan(
    graph,
    cluster,
    'cluster.delete',
    `Delete cluster ${name}`,
    [
      restoreStep(graph, cluster),
      {
        kind: 'cluster.remove',
        args: { clusterId: cluster.id, when: 'done' },
        summary: `Take ${name} off its front`,
        serverId: cluster.serverId,
        undo: { none: 'what is removed cannot come back' },
      },
      {
        kind: 'service.forget',
        args: { serviceId: cluster.id },
        summary: `Forget ${name} and its heads`,
        serverId: null,
        undo: { none: 'nothing of it is left' },
      },
    ],
    { pointOfNoReturn: 1 },
  );
}

/** Tasks of these sites that were asked for before end first; those asked for later see the new heads. */
function locksOf(cluster: ServiceRecord, sites: readonly SiteRecord[]): readonly string[] {
  return [`cluster/${cluster.id}`, ...sites.map((site) => `site/${site.id}`)];
}
