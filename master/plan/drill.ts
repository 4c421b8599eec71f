// The plan of a restore drill: a backup becomes a scratch site, is looked at, and the scratch site goes. Its ids and its
// name are made for it, so that no step of it can come near the site that the backup is of.
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { holdStep, READS, releaseStep, restoreSteps, rewriteSteps } from './backup-steps.ts';
import { httpUnpublish, siteRemove } from './change-site.ts';
import type { Plan, PlanStep } from './plan.ts';
import { dbCreate, httpPublish, publishedOn, sitePrepare, siteProbe, siteRecordStep } from './steps.ts';

const GONE = { none: 'it was there for the drill alone' } as const;

/** scratch is the record to be, in state installing. */
export function planDrill(graph: Graph, scratch: SiteRecord, backup: BackupRecord): Plan {
  const store = graph.service(backup.serviceId);
  const steps: PlanStep[] = [
    siteRecordStep(scratch, 'installing', 'absent'),
    {
      kind: 'drill.begin',
      args: { backupId: backup.id },
      summary: `Begin the drill of backup ${backup.id} of ${displayName(backup.siteName)}`,
      serverId: null,
      undo: { summary: 'record why it failed' },
    },
    ...dbCreate(graph, scratch, 'absent'),
    ...sitePrepare(graph, scratch, 'absent'),
    holdStep(graph, [store], 'shared'),
    ...restoreSteps(graph, scratch, backup, null),
    releaseStep(graph, [store], 'shared'),
    ...rewriteSteps(graph, scratch, {
      url: backup.site.url,
      names: [backup.siteName, ...backup.site.aliases],
      siteId: backup.siteId,
    }),
    ...httpPublish(graph, scratch, 'enabled', 'absent'),
    ...siteProbe(graph, scratch),
  ];
  const at = (kind: PlanStep['kind']) => {
    const index = steps.findIndex((step) => step.kind === kind);
    return index < 0 ? null : index;
  };
  steps.push({
    kind: 'drill.compare',
    args: { backupId: backup.id, database: at('restore.database'), files: at('restore.files') },
    summary: 'Compare what came back with what the backup says that it holds',
    serverId: null,
    undo: READS,
  });
  const pointOfNoReturn = steps.length;
  steps.push(...remove(graph, scratch), {
    kind: 'drill.prove',
    args: { backupId: backup.id, begin: at('drill.begin') ?? 0 },
    summary: `Record that backup ${backup.id} can be restored, and how long it takes`,
    serverId: null,
    undo: { none: 'it was proven' },
  });
  return {
    verb: 'backup.drill',
    subjectId: backup.siteId,
    subject: backup.siteName,
    summary: `Prove that backup ${backup.id} of ${displayName(backup.siteName)} can be restored, as ${scratch.name}`,
    steps,
    warnings: [],
    pointOfNoReturn,
    locks: [`site/${scratch.id}`, `backup/${backup.id}`],
  };
}

function remove(graph: Graph, site: SiteRecord): readonly PlanStep[] {
  const http = graph.service(site.bindings.http);
  const servers = [...new Set(graph.webServersOf(http).map(({ serverId }) => serverId))];
  const db = site.bindings.db === undefined ? undefined : graph.service(site.bindings.db);
  const drop: PlanStep[] =
    db === undefined
      ? []
      : [
          {
            kind: 'db.drop',
            args: { serviceId: db.id, siteId: site.id },
            summary: `Drop database ${site.database} and its user on ${graph.serviceName(db)}`,
            serverId: db.serverId,
            undo: GONE,
          },
        ];
  return [
    ...publishedOn(graph, site)
      .toReversed()
      .map((service) => httpUnpublish(graph, site, service)),
    ...drop,
    ...servers.map((serverId, index) => siteRemove(graph, site, serverId, index < servers.length - 1)),
    {
      kind: 'site.forget',
      args: { siteId: site.id },
      summary: `Forget ${site.name}`,
      serverId: null,
      undo: GONE,
    },
  ];
}
