// Sites: install, verify, enable, disable, delete, login link, list.

import { AegirError } from '../../shared/error.ts';
import { moment } from '../../shared/for-people.ts';
import type {
  ChangeResponse,
  GetSiteRequest,
  ListSitesRequest,
  ListSitesResponse,
  LoginSiteRequest,
  Site,
  SiteRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freeText } from '../../shared/name.ts';
import { APPS } from '../../shared/vocabulary.ts';
import { policyOf } from '../graph/backup-policy.ts';
import type { Graph } from '../graph/graph.ts';
import {
  planCronSite,
  planDeleteSite,
  planDisableSite,
  planEnableSite,
  planLoginSite,
  planVerifySite,
} from '../plan/change-site.ts';
import type { Plan } from '../plan/plan.ts';
import type { Verb } from '../plan/verbs.ts';
import type { SiteRecord } from '../store/model.ts';
import type { BackupPolicyRecord, BackupRecord } from '../store/model-backup.ts';
import { newBackup } from './backup-new.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { journeyOf } from './journey.ts';
import { lastBackup } from './last-backup.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { siteRef } from './site-ref.ts';
import { backupsOf } from './site-restores.ts';
import { cronOf, usageOf } from './usage.ts';
import { siteView } from './view.ts';
import { siteBackupsView } from './view-backup.ts';

export async function listSites(
  deps: AdminDeps,
  caller: Caller,
  request: ListSitesRequest,
): Promise<ListSitesResponse> {
  const graph = await loadGraph(deps.store);
  const client = request.client === '' ? undefined : graph.client(request.client).id;
  const platform = request.platform === '' ? undefined : graph.platform(request.platform).id;
  const wanted = graph.sites.filter(
    (site) =>
      (client === undefined || site.clientId === client) && (platform === undefined || site.platformId === platform),
  );
  const page = pageOf(wanted, (site) => site.name, request);
  const policies = await deps.store.backupPolicies.find();
  const backups = await deps.store.backups.find();
  const sites: Site[] = [];
  for (const site of page.items) {
    const its = await backupsOf(deps.store, graph, site, backups);
    const problem = overdue(site, its, policyOf(policies, site.id), deps.now());
    sites.push({ ...siteView(graph, site, caller), backups: siteBackupsView(site, its, problem) });
  }
  return { sites, nextPageToken: page.nextPageToken };
}

export async function getSite(deps: AdminDeps, caller: Caller, request: GetSiteRequest): Promise<Site> {
  const graph = await loadGraph(deps.store);
  const site = findSite(graph, request.site);
  const backups = await backupsOf(deps.store, graph, site, await deps.store.backups.find());
  const policy = policyOf(await deps.store.backupPolicies.find(), site.id);
  const problem = (await backupFailure(deps, site.id)) || overdue(site, backups, policy, deps.now());
  return {
    ...siteView(graph, site, caller),
    cron: await cronOf(deps, graph, site),
    usage: await usageOf(deps, site),
    backups: siteBackupsView(site, backups, problem),
    journey: await journeyOf(deps, graph, site),
  };
}

export const verifySite = onSite('site.verify', ['enabled', 'disabled', 'failed'], planVerifySite);
export const enableSite = onSite('site.enable', ['enabled', 'disabled', 'failed'], planEnableSite, 'enabled');
export const disableSite = onSite('site.disable', ['enabled', 'disabled', 'failed'], planDisableSite, 'disabled');

export async function deleteSite(deps: AdminDeps, caller: Caller, request: SiteRequest): Promise<ChangeResponse> {
  if (!request.confirm && request.options?.planOnly !== true) {
    throw new AegirError('failed_precondition', `cannot delete ${request.site}: it was not confirmed; say --yes`);
  }
  const { service = '' } = request;
  const last = await lastBackup(deps, request.site, {
    ...{ service, noBackup: request.noBackup === true, usual: 'any' },
    ...{ doing: 'delete', without: 'delete it by --no-backup' },
  });
  const asked = {
    method: 'site.delete' as const,
    site: request.site,
    confirm: request.confirm,
    noBackup: request.noBackup === true,
    service,
  };
  return change(deps, caller, request.options, asked, (graph) => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled', 'disabled', 'failed', 'deleting'], 'delete');
    // What is left of a site that was being deleted is no site to keep.
    const made = site.state === 'deleting' ? undefined : last?.(graph, site);
    const plan = planDeleteSite(graph, site, made);
    if (made === undefined) return { plan };
    return {
      plan,
      save: async (tx, taskId) => {
        const { id, store } = made;
        await tx.backups.insert(newBackup(graph, site, { id, store, reason: 'delete', taskId, takenAt: deps.now() }));
      },
    };
  });
}

/** That a site's turn was missed for longer than a whole interval; '' when it was not. */
function overdue(site: SiteRecord, backups: readonly BackupRecord[], policy: BackupPolicyRecord, now: number): string {
  const whole = backups.filter(({ state }) => state === 'ready').map(({ takenAt }) => takenAt);
  const last = Math.max(site.createdAt, ...whole);
  if (policy.everySeconds === 0 || site.state === 'installing' || now < last + 2 * policy.everySeconds * 1000)
    return '';
  return `no backup was made since ${moment(last)}; is a server away, or its store? see: aegir task list`;
}

const LOOKED_AT = 50;

/** Why the newest backup could not be made; '' when it was, or none was tried lately. */
async function backupFailure(deps: AdminDeps, siteId: string): Promise<string> {
  const tasks = await deps.store.tasks.list({ subjectId: siteId, limit: LOOKED_AT });
  const last = tasks.find(({ verb, state }) => verb === 'site.backup' && (state === 'failed' || state === 'succeeded'));
  return last?.state === 'failed' ? `the last backup failed: ${last.reason}` : '';
}

export async function loginSite(deps: AdminDeps, caller: Caller, request: LoginSiteRequest): Promise<ChangeResponse> {
  const account = freeText(request.account, 'account', 60);
  return change(deps, caller, request.options, { method: 'site.login', site: request.site, account }, (graph) => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled'], 'log in to');
    const { app } = graph.platform(site.platformId);
    if (app !== 'drupal' && app !== 'wordpress') {
      throw new AegirError('failed_precondition', `cannot log in to ${site.name}: ${app} has no accounts of its own`);
    }
    return { plan: planLoginSite(graph, site, account) };
  });
}

export async function cronSite(deps: AdminDeps, caller: Caller, request: SiteRequest): Promise<ChangeResponse> {
  return change(deps, caller, request.options, { method: 'site.cron', site: request.site }, (graph) => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled'], 'run the cron of');
    const { app } = graph.platform(site.platformId);
    if (app === '' || APPS[app].cronSeconds === 0) {
      throw new AegirError('failed_precondition', `cannot run the cron of ${site.name}: a site of app ${app} has none`);
    }
    return { plan: planCronSite(graph, site) };
  });
}

/** A verb on one site: allowed in some states, and with nothing to do when it is in `already`. */
function onSite(
  method: Verb,
  states: readonly SiteRecord['state'][],
  plan: (graph: Graph, site: SiteRecord) => Plan,
  already?: SiteRecord['state'],
): (deps: AdminDeps, caller: Caller, request: SiteRequest) => Promise<ChangeResponse> {
  return (deps, caller, request) =>
    change(deps, caller, request.options, { method, site: request.site, confirm: request.confirm }, (graph) => {
      const site = findSite(graph, request.site);
      requireState(site, states, method.slice('site.'.length));
      const made = plan(graph, site);
      if (site.state !== already) return { plan: made };
      return { plan: { ...made, summary: `${site.name} is ${already} already: nothing to do`, steps: [] } };
    });
}

export function findSite(graph: Graph, ref: string): SiteRecord {
  return graph.site(siteRef(ref));
}

export function requireState(site: SiteRecord, states: readonly SiteRecord['state'][], verb: string): void {
  if (site.moving !== null) {
    throw new AegirError(
      'failed_precondition',
      `cannot ${verb} ${site.name}: it is on its way to another place; wait for its task; see: aegir task list --subject ${site.id}`,
    );
  }
  if (states.includes(site.state)) return;
  const next =
    site.state === 'installing' || site.state === 'deleting'
      ? `wait for its task; see: aegir task list --subject ${site.id}`
      : site.state === 'disabled'
        ? `put it back on the web first: aegir site enable ${site.name}`
        : `it can be done when it is ${states.join(' or ')}`;
  throw new AegirError('failed_precondition', `cannot ${verb} ${site.name}: it is ${site.state}; ${next}`);
}
