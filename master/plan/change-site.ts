// Plans that change one existing site: verify, enable, disable, login, delete.
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import { loginStep } from './install-site.ts';
import type { Plan, PlanStep } from './plan.ts';
import {
  cronService,
  dbCreate,
  dnsPublish,
  dnsUnpublish,
  httpPublish,
  sitePrepare,
  siteProbe,
  siteRecordStep,
} from './steps.ts';

/** What the web shows of a site: all that is not disabled was or shall be served. */
function served(site: SiteRecord): 'enabled' | 'disabled' {
  return site.state === 'disabled' ? 'disabled' : 'enabled';
}

function plan(site: SiteRecord, verb: string, summary: string, steps: readonly PlanStep[], more?: Partial<Plan>): Plan {
  return {
    verb,
    subjectId: site.id,
    subject: site.name,
    summary,
    steps,
    warnings: [],
    pointOfNoReturn: null,
    locks: [`site/${site.id}`],
    ...more,
  };
}

/** Compares every part of the site with what is declared, and mends it. */
export function verifySteps(graph: Graph, site: SiteRecord): readonly PlanStep[] {
  return [
    ...dbCreate(graph, site, 'present'),
    sitePrepare(graph, site, 'present'),
    httpPublish(graph, site, served(site), served(site)),
  ];
}

export function planVerifySite(graph: Graph, site: SiteRecord): Plan {
  const steps = [
    ...verifySteps(graph, site),
    ...dnsPublish(graph, site, 'present'),
    ...(served(site) === 'enabled' ? [siteProbe(graph, site)] : []),
  ];
  return plan(site, 'site.verify', `Verify ${displayName(site.name)} and mend what drifted`, steps);
}

export function planEnableSite(graph: Graph, site: SiteRecord): Plan {
  return plan(site, 'site.enable', `Serve ${displayName(site.name)} again`, [
    httpPublish(graph, site, 'enabled', served(site)),
    siteProbe(graph, site),
    siteRecordStep(site, 'enabled', site.state),
  ]);
}

export function planDisableSite(graph: Graph, site: SiteRecord): Plan {
  return plan(site, 'site.disable', `Take ${displayName(site.name)} off the web, keeping it`, [
    httpPublish(graph, site, 'disabled', served(site)),
    siteRecordStep(site, 'disabled', site.state),
  ]);
}

export function planLoginSite(graph: Graph, site: SiteRecord, account: string): Plan {
  const steps = [loginStep(graph, site, account)];
  return plan(site, 'site.login', `Make a one-time login link for ${displayName(site.name)}`, steps);
}

export function planCronSite(graph: Graph, site: SiteRecord): Plan {
  const { serverId } = graph.service(cronService(site));
  const step: PlanStep = {
    kind: 'site.cron',
    args: { serverId, siteId: site.id },
    summary: `Run the cron of ${displayName(site.name)} on ${graph.server(serverId).name}`,
    serverId,
    undo: { none: 'what an app does by its cron is done' },
  };
  return plan(site, 'site.cron', `Run the cron of ${displayName(site.name)} now`, [step]);
}

/** The site is hidden first, which undoes; from the first removal on it only goes forward. */
export function planDeleteSite(graph: Graph, site: SiteRecord): Plan {
  const http = graph.service(site.bindings.http);
  const db = site.bindings.db === undefined ? undefined : graph.service(site.bindings.db);
  const gone = { none: 'what is removed cannot come back' };
  const hide = [siteRecordStep(site, 'deleting', site.state), httpPublish(graph, site, 'disabled', served(site))];
  const remove: PlanStep[] = [
    {
      kind: 'http.unpublish',
      args: { serviceId: http.id, siteId: site.id },
      summary: `Take ${displayName(site.name)} off ${graph.serviceName(http)}`,
      serverId: http.serverId,
      undo: gone,
    },
  ];
  if (db !== undefined) {
    remove.push({
      kind: 'db.drop',
      args: { serviceId: db.id, siteId: site.id },
      summary: `Drop database ${site.database} and its user on ${graph.serviceName(db)}`,
      serverId: db.serverId,
      undo: gone,
    });
  }
  remove.push({
    kind: 'site.remove',
    args: { serverId: http.serverId, siteId: site.id },
    summary: `Remove files${graph.server(http.serverId).facts.hostKind === 'embedded' ? ' and settings' : ', settings and system user'} on ${graph.server(http.serverId).name}`,
    serverId: http.serverId,
    undo: gone,
  });
  remove.push(...dnsUnpublish(graph, site));
  remove.push({
    kind: 'site.forget',
    args: { siteId: site.id },
    summary: `Forget ${displayName(site.name)}`,
    serverId: null,
    undo: gone,
  });
  return plan(
    site,
    'site.delete',
    `Delete ${displayName(site.name)} with its files and database`,
    [...hide, ...remove],
    {
      pointOfNoReturn: hide.length,
      warnings: ['Files and database are removed for good.'],
    },
  );
}
