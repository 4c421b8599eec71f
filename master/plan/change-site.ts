// Plans that change one existing site: verify, enable, disable, login, delete.
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import { backupSteps, recordStep, type SiteSizes } from './backup-steps.ts';
import { loginStep } from './install-site.ts';
import type { Plan, PlanStep } from './plan.ts';
import {
  cronService,
  dbCreate,
  dnsPublish,
  dnsUnpublish,
  httpPublish,
  publishedOn,
  sitePrepare,
  siteProbe,
  siteRecordStep,
} from './steps.ts';
import type { Verb } from './verbs.ts';

const GONE = { none: 'what is removed cannot come back' } as const;

/** What the web shows of a site: all that is not disabled was or shall be served. */
function served(site: SiteRecord): 'enabled' | 'disabled' {
  return site.state === 'disabled' ? 'disabled' : 'enabled';
}

function plan(site: SiteRecord, verb: Verb, summary: string, steps: readonly PlanStep[], more?: Partial<Plan>): Plan {
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
    ...sitePrepare(graph, site, 'present'),
    ...httpPublish(graph, site, served(site), served(site)),
  ];
}

export function planVerifySite(graph: Graph, site: SiteRecord): Plan {
  const steps = [
    ...verifySteps(graph, site),
    ...dnsPublish(graph, site, 'present'),
    ...(served(site) === 'enabled' ? siteProbe(graph, site) : []),
  ];
  return plan(site, 'site.verify', `Verify ${displayName(site.name)} and mend what drifted`, steps);
}

export function planEnableSite(graph: Graph, site: SiteRecord): Plan {
  return plan(site, 'site.enable', `Serve ${displayName(site.name)} again`, [
    ...httpPublish(graph, site, 'enabled', served(site)),
    ...siteProbe(graph, site),
    siteRecordStep(site, 'enabled', site.state),
  ]);
}

export function planDisableSite(graph: Graph, site: SiteRecord): Plan {
  return plan(site, 'site.disable', `Take ${displayName(site.name)} off the web, keeping it`, [
    ...httpPublish(graph, site, 'disabled', served(site)),
    siteRecordStep(site, 'disabled', site.state),
  ]);
}

export function planLoginSite(graph: Graph, site: SiteRecord, account: string): Plan {
  const steps = [loginStep(graph, site, account)];
  return plan(site, 'site.login', `Make a one-time login link for ${displayName(site.name)}`, steps);
}

export function planCronSite(graph: Graph, site: SiteRecord): Plan {
  const { serverId } = cronService(graph, site);
  const step: PlanStep = {
    kind: 'site.cron',
    args: { serverId, siteId: site.id },
    summary: `Run the cron of ${displayName(site.name)} on ${graph.server(serverId).name}`,
    serverId,
    undo: { none: 'what an app does by its cron is done' },
  };
  return plan(site, 'site.cron', `Run the cron of ${displayName(site.name)} now`, [step]);
}

export function httpUnpublish(graph: Graph, site: SiteRecord, service: ServiceRecord): PlanStep {
  return {
    kind: 'http.unpublish',
    args: { serviceId: service.id, siteId: site.id },
    summary: `Take ${displayName(site.name)} off ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: GONE,
  };
}

/** keepShared: other web servers still serve it. */
export function siteRemove(graph: Graph, site: SiteRecord, serverId: string, keepShared: boolean): PlanStep {
  const { name, facts } = graph.server(serverId);
  const what = facts.hostKind === 'embedded' ? ' and settings' : ', settings and system user';
  return {
    kind: 'site.remove',
    args: { serverId, siteId: site.id, keepShared },
    summary: `Remove ${keepShared ? 'own files' : 'files'}${what} of ${displayName(site.name)} on ${name}`,
    serverId,
    undo: GONE,
  };
}

/** The last backup of a site: id of the record to be, and where it goes. */
export interface LastBackup {
  readonly id: string;
  readonly store: ServiceRecord;
  readonly sizes: SiteSizes;
}

/** The site is hidden and kept in a backup first, which undoes; from the first removal on it only goes forward. */
export function planDeleteSite(graph: Graph, site: SiteRecord, last?: LastBackup): Plan {
  const http = graph.service(site.bindings.http);
  const db = site.bindings.db === undefined ? undefined : graph.service(site.bindings.db);
  const hide = [
    // What was saved with the task is undone last.
    ...(last === undefined ? [] : [recordStep(site, last.id)]),
    siteRecordStep(site, 'deleting', site.state),
    ...httpPublish(graph, site, 'disabled', served(site)),
  ];
  if (db !== undefined) {
    hide.push({
      kind: 'db.free',
      args: { serviceId: db.id, siteId: site.id },
      summary: `Check that nobody holds database ${site.database} on ${graph.serviceName(db)}`,
      serverId: db.serverId,
      undo: { none: 'it only looks' },
    });
  }
  if (last !== undefined) {
    hide.push(...backupSteps(graph, site, last.id, last.store, last.sizes, hide.length).steps);
  }
  // The front first: no visitor comes to a web server that has let go of the site.
  const remove: PlanStep[] = publishedOn(graph, site)
    .toReversed()
    .map((service) => httpUnpublish(graph, site, service));
  if (db !== undefined) {
    remove.push({
      kind: 'db.drop',
      args: { serviceId: db.id, siteId: site.id },
      summary: `Drop database ${site.database} and its user on ${graph.serviceName(db)}`,
      serverId: db.serverId,
      undo: GONE,
    });
  }
  const servers = [...new Set(graph.webServersOf(http).map(({ serverId }) => serverId))];
  remove.push(...servers.map((serverId, index) => siteRemove(graph, site, serverId, index < servers.length - 1)));
  remove.push(...dnsUnpublish(graph, site));
  remove.push({
    kind: 'site.forget',
    args: { siteId: site.id },
    summary: `Forget ${displayName(site.name)}`,
    serverId: null,
    undo: GONE,
  });
  return plan(
    site,
    'site.delete',
    `Delete ${displayName(site.name)} with its files and database`,
    [...hide, ...remove],
    {
      pointOfNoReturn: hide.length,
      warnings:
        last === undefined
          ? ['Files and database are removed for good.', 'No backup is made of it before.']
          : [
              `Files and database are removed; backup ${last.id} on ${graph.serviceName(last.store)} keeps what they are.`,
              'When that backup cannot be made the site stays; --no-backup leaves it out.',
            ],
    },
  );
}
