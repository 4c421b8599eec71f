// Plans that bring a backup back: into its own site, or into a new one.
import { moment } from '../../shared/for-people.ts';
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { siteUrl } from '../graph/site-url.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import {
  asItIs,
  backupSteps,
  holdStep,
  recordStep,
  releaseStep,
  restoreSteps,
  rewriteSteps,
  type SiteSizes,
  sizeText,
} from './backup-steps.ts';
import type { Plan, PlanStep } from './plan.ts';
import { siteRecordSets } from './site-records.ts';
import {
  dbCreate,
  dnsPublish,
  firstCertificate,
  httpPublish,
  sitePrepare,
  siteProbe,
  siteRecordStep,
} from './steps.ts';

/**
 * The site is hidden first, so that nothing that visitors do is lost between the backup that is made for safety and the
 * end; anything that fails brings that one back. The stores are held before it is hidden and until the end: neither the
 * restore nor its undoing waits for a prune while visitors get the maintenance page.
 */
export function planRestoreSite(
  graph: Graph,
  site: SiteRecord,
  backup: BackupRecord,
  safety: { readonly id: string; readonly store: ServiceRecord },
  sizes: SiteSizes,
): Plan {
  const served = site.state === 'disabled' ? 'disabled' : 'enabled';
  const stores = [safety.store, graph.service(backup.serviceId)];
  const steps: PlanStep[] = [recordStep(site, safety.id), holdStep(graph, stores, 'shared')];
  if (served === 'enabled') steps.push(...httpPublish(graph, site, 'disabled', 'enabled'));
  steps.push(...dbEnsure(graph, site), ...sitePrepare(graph, site, 'present'));
  // Nothing of it may run by now: what came by since, the web servers end when they are told once more.
  if (served === 'disabled') steps.push(...httpPublish(graph, site, 'disabled', 'disabled'));
  const { steps: kept, stored } = backupSteps(graph, site, safety.id, safety.store, sizes, steps.length, true);
  steps.push(...kept, ...restoreSteps(graph, site, backup, { backupId: safety.id, store: stored }));
  const now = siteUrl(site, graph.service(site.bindings.http));
  if (backup.site.url !== now) steps.push(...rewriteSteps(graph, site, origin(site, backup)));
  if (served === 'enabled') steps.push(...httpPublish(graph, site, 'enabled', 'disabled'), ...siteProbe(graph, site));
  if (site.state === 'failed') steps.push(siteRecordStep(site, 'enabled', 'failed'));
  steps.push(releaseStep(graph, stores, 'shared', true));
  const size = sizeText(sizes);
  return {
    verb: 'backup.restore',
    subjectId: site.id,
    subject: site.name,
    summary: `Make ${displayName(site.name)} what backup ${backup.id} holds, of ${moment(backup.takenAt)}`,
    steps,
    warnings: [
      ...(served === 'enabled' ? ['Visitors get the maintenance page meanwhile.'] : []),
      `What the site is now${size === '' ? '' : ` (${size})`} is kept as backup ${safety.id} on ${graph.serviceName(safety.store)}, and comes back when anything fails.`,
      ...olderCode(graph, site, backup),
    ],
    pointOfNoReturn: null,
    locks: [`site/${site.id}`, `backup/${backup.id}`, `backup/${safety.id}`],
  };
}

function dbEnsure(graph: Graph, site: SiteRecord): readonly PlanStep[] {
  if (site.bindings.db === undefined) return [];
  const service = graph.service(site.bindings.db);
  return [
    {
      kind: 'db.ensure',
      args: { serviceId: service.id, siteId: site.id },
      summary: `Make database ${site.database} and its user on ${graph.serviceName(service)} if they were lost`,
      serverId: service.serverId,
      undo: { none: 'it only brings back what is declared' },
    },
  ];
}

function olderCode(graph: Graph, site: SiteRecord, backup: BackupRecord): readonly string[] {
  const { app, facts, name } = graph.platform(site.platformId);
  const now = facts?.version ?? '';
  const { appVersion } = backup.site;
  if (now === '' || appVersion === '' || now === appVersion) return [];
  return [
    `The backup is of ${app} ${appVersion}, and platform ${name} is ${now}: its database may have to be upgraded.`,
  ];
}

/** What the content may say; of names those that the site has no more. */
function origin(site: Pick<SiteRecord, 'name' | 'aliases'>, backup: BackupRecord) {
  const own = [site.name, ...site.aliases];
  const names = [backup.siteName, ...backup.site.aliases].filter((name) => !own.includes(name));
  return { url: backup.site.url, names, siteId: backup.siteId };
}

/** site is the record to be, in state installing; to: how it is served when it is there. */
export function planRestoreAs(
  graph: Graph,
  site: SiteRecord,
  backup: BackupRecord,
  to: 'enabled' | 'disabled',
  warnings: readonly string[],
): Plan {
  const store = graph.service(backup.serviceId);
  const platform = graph.platform(site.platformId);
  const probe = to === 'enabled' ? siteProbe(graph, site) : [];
  const steps: PlanStep[] = [
    siteRecordStep(site, 'installing', 'absent'),
    ...firstCertificate(site),
    ...dbCreate(graph, site, 'absent'),
    ...sitePrepare(graph, site, 'absent'),
    holdStep(graph, [store], 'shared'),
  ];
  const begin = steps.length;
  const restored = restoreSteps(graph, site, backup, null);
  steps.push(
    ...restored,
    releaseStep(graph, [store], 'shared'),
    ...rewriteSteps(graph, site, origin(site, backup)),
    ...httpPublish(graph, site, to, 'absent'),
    ...probe,
  );
  // All of it came from the store, and the site answered. What a site becomes in its own place need not come from there.
  if (probe.length > 0 && restored.length > 0) {
    const database = restored.findIndex(({ kind }) => kind === 'restore.database');
    steps.push({
      kind: 'drill.prove',
      args: { backupId: backup.id, begin, ...(database < 0 ? {} : { database: begin + database }) },
      summary: `Record that backup ${backup.id} can be restored, and how long it takes`,
      serverId: null,
      undo: { none: 'it was proven' },
    });
  }
  steps.push(...dnsPublish(graph, site, 'absent'), siteRecordStep(site, to, 'installing'));
  return {
    verb: 'backup.restore',
    subjectId: site.id,
    subject: site.name,
    summary: `Make site ${displayName(site.name)} on platform ${platform.name} from backup ${backup.id} of ${displayName(backup.siteName)}`,
    steps,
    warnings: [
      ...warnings,
      ...(site.name === backup.siteName ? [] : asItIs(platform.app, displayName(backup.siteName))),
      ...(siteRecordSets(graph, site).length === 0 ? ['No dns service is bound: set the names in DNS yourself.'] : []),
      ...olderCode(graph, site, backup),
    ],
    pointOfNoReturn: null,
    locks: [`site/${site.id}`, `backup/${backup.id}`],
  };
}
