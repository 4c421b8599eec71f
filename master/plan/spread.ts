// Plans and steps about clusters whose heads have files of their own: files travel from the head that takes a site's writes
// to the others, and another head takes these over.
import { moment } from '../../shared/for-people.ts';
import { displayName } from '../../shared/name.ts';
import { createGraph, type Graph } from '../graph/graph.ts';
import { mainWebServer, type Role, readersOf } from '../graph/spread.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import { restoreServed } from './change-site-web.ts';
import { gateClose, gateForward, gateHold, type Move, placeOf, waitStep } from './move-steps.ts';
import type { Deadline, Plan, PlanStep } from './plan.ts';
import { httpPublishOn, runsCron } from './steps.ts';

/** Visitors of a site may be held that long while its writes go to another head; then all is as before. */
const MAX_HOLD_MS = 60_000;

/**
 * A front that was told anew answers one more request on each connection that a visitor keeps by what it knew before, and
 * ends those that are idle after 10 s: until then the head of before hands on whoever comes.
 */
const KEPT_SECONDS = 12;

const FORWARD = { none: 'from here on there is only forward' } as const;

export interface SyncOptions {
  /** These have to have them; otherwise heads that are away are left out. */
  readonly must: boolean;
  /** Heads that keep files of their own lose them. */
  readonly discard?: boolean;
  readonly deadline?: Deadline;
  readonly what?: string;
}

export function syncStep(
  graph: Graph,
  site: SiteRecord,
  to: readonly ServiceRecord[],
  { must, discard = false, deadline, what = 'what has changed of ' }: SyncOptions,
): PlanStep {
  const from = mainWebServer(graph, site);
  const names = to.map((service) => graph.serviceName(service)).join(', ');
  return {
    kind: 'sync.files',
    args: {
      ...{ siteId: site.id, from: from.id, to: to.map(({ id }) => id), must, discard },
      deadline: deadline ?? null,
    },
    summary: `Copy ${what}the files of ${displayName(site.name)} from ${graph.serviceName(from)} to ${names}`,
    serverId: from.serverId,
    undo: { summary: 'let go of what was kept for it' },
  };
}

/** graph with these roles taken over. */
export function withRoles(graph: Graph, roles: readonly Role[]): Graph {
  const sites = graph.sites.map((site) => {
    const role = roles.find((each) => each.site.id === site.id);
    if (role === undefined) return site;
    return { ...site, spread: { copies: [], kept: [], ...site.spread, writer: role.to.id } };
  });
  return createGraph({ ...graph, sites });
}

export interface RoleSteps {
  readonly steps: readonly PlanStep[];
  /** Index among them of the first that is not undone; null where all are. */
  readonly noReturn: number | null;
}

/**
 * at: index of the first step in its plan. Bulk comes first, so that visitors wait for less. lost: the heads that took the
 * writes do not answer: nothing is copied or done there, and what they have alone is noted.
 */
export function roleSteps(graph: Graph, roles: readonly Role[], lost: boolean, at: number): RoleSteps {
  const after = withRoles(graph, roles);
  const steps: PlanStep[] = [];
  /** When nobody comes by the way of before any more. */
  const last: PlanStep[] = [];
  let noReturn: number | null = null;
  if (!lost) for (const { site, to } of roles) steps.push(syncStep(graph, site, [to], { must: true, what: '' }));
  for (const { site, to } of roles) {
    const from = mainWebServer(graph, site);
    const front = graph.service(site.bindings.http);
    const moved = after.site(site.id);
    const served = site.state === 'disabled' ? 'disabled' : 'enabled';
    const shown = displayName(site.name);
    const place = placeOf(site);
    const move: Move = { graph, site, from: { ...place, http: from.id }, to: { ...place, http: to.id } };
    const held = !lost && served === 'enabled';
    if (held) {
      const hold = at + steps.length;
      steps.push(gateHold(move, MAX_HOLD_MS, 'undo'), {
        kind: 'http.publish',
        args: { serviceId: from.id, siteId: site.id, state: 'held', before: 'enabled', cron: true },
        summary: `Have visitors of ${shown} who come to ${graph.serviceName(from)} wait; nothing of it runs there any more`,
        serverId: from.serverId,
        undo: { summary: 'serve it again' },
      });
      steps.push(syncStep(graph, site, [to], { must: true, deadline: { step: hold, millis: MAX_HOLD_MS } }));
    }
    const others = readersOf(after, moved, true).filter(({ id }) => id !== from.id);
    steps.push(
      ...[to, front, ...others].map((service) => restoreServed(graph, site, service)),
      writerStep(graph, site, from, to, lost),
      httpPublishOn(after, moved, to, served, served),
      httpPublishOn(after, moved, front, served, served),
    );
    if (held) {
      noReturn ??= steps.length;
      steps.push(gateForward(move));
    }
    if (!lost) {
      last.push({
        kind: 'http.publish',
        args: {
          ...{ serviceId: from.id, siteId: site.id, state: served, before: held ? 'held' : served },
          cron: runsCron(after, moved, from),
        },
        summary: `Have ${graph.serviceName(from)} serve ${shown} like the other heads`,
        serverId: from.serverId,
        undo: held ? FORWARD : { none: 'it only brings back what is declared' },
      });
    }
    steps.push(...others.map((service) => httpPublishOn(after, moved, service, served, served)));
    if (held) last.push(gateClose(move));
  }
  if (noReturn !== null) steps.push(waitStep(KEPT_SECONDS, 'connections that visitors keep to the front end'));
  return { steps: [...steps, ...last], noReturn };
}

function writerStep(graph: Graph, site: SiteRecord, from: ServiceRecord, to: ServiceRecord, lost: boolean): PlanStep {
  const kept = lost ? `; ${graph.serviceName(from)} keeps what it has` : '';
  return {
    kind: 'site.writer',
    args: { siteId: site.id, to: to.id, before: from.id, lost },
    summary: `Record that ${graph.serviceName(to)} takes writes of ${displayName(site.name)}${kept}`,
    serverId: null,
    undo: { summary: `record that ${graph.serviceName(from)} does` },
  };
}

/** What people should know of writes that one head had alone. iso: makes a time of milliseconds since 1970. */
export function lostWarnings(graph: Graph, roles: readonly Role[], left: ServiceRecord): readonly string[] {
  return roles.map(({ site, to }) => {
    const at = site.spread?.copies.find(({ head }) => head === to.id)?.at;
    const since = at === undefined ? 'that never reached it' : `since ${moment(at)}`;
    return `${graph.serviceName(to)} goes on with the files of ${displayName(site.name)} that it has: what ${graph.serviceName(left)} took ${since} stays there alone.`;
  });
}

export function planSyncCluster(graph: Graph, cluster: ServiceRecord, sites: readonly SiteRecord[]): Plan {
  const steps = sites
    .map((site) => ({ site, to: readersOf(graph, site) }))
    .filter(({ to }) => to.length > 0)
    .map(({ site, to }) => syncStep(graph, site, to, { must: false }));
  const [only] = sites;
  const what = sites.length === 1 && only !== undefined ? displayName(only.name) : `${sites.length} sites`;
  return {
    verb: 'cluster.sync',
    subjectId: cluster.id,
    subject: graph.serviceName(cluster),
    summary:
      steps.length === 0
        ? `The heads of ${cluster.instance} have no files to bring to each other: nothing to do`
        : `Bring the files of ${what} to all heads of ${cluster.instance}`,
    steps,
    warnings: [],
    pointOfNoReturn: null,
    locks: sites.map(({ id }) => `site/${id}`),
  };
}

export function planMoveWriter(graph: Graph, cluster: ServiceRecord, site: SiteRecord, to: ServiceRecord): Plan {
  const from = mainWebServer(graph, site);
  const same = from.id === to.id;
  const { steps, noReturn } = same ? { steps: [], noReturn: null } : roleSteps(graph, [{ site, to }], false, 0);
  const shown = displayName(site.name);
  return {
    verb: 'cluster.writer',
    subjectId: cluster.id,
    subject: graph.serviceName(cluster),
    summary: same
      ? `${graph.serviceName(to)} takes writes of ${shown} already: nothing to do`
      : `Have ${graph.serviceName(to)} take writes of ${shown} instead of ${graph.serviceName(from)}`,
    steps,
    warnings:
      noReturn === null
        ? []
        : [
            `Visitors who come to ${graph.serviceName(from)} wait while the last changes travel, ${MAX_HOLD_MS / 1000} s at most.`,
          ],
    pointOfNoReturn: noReturn,
    locks: [`site/${site.id}`],
  };
}
