// Plans about backups themselves: make, look at, remove, prune.

import { moment } from '../../shared/for-people.ts';
import { displayName } from '../../shared/name.ts';
import { counted } from '../../shared/words.ts';
import type { Graph } from '../graph/graph.ts';
import { placeOf } from '../graph/stores.ts';
import type { JsonObject, ServiceRecord, SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { backupSteps, holdStep, READS, recordStep, releaseStep, type SiteSizes } from './backup-steps.ts';
import type { Plan, PlanStep } from './plan.ts';

export function planCreateBackup(
  graph: Graph,
  site: SiteRecord,
  backupId: string,
  store: ServiceRecord,
  sizes: SiteSizes,
  warnings: readonly string[] = [],
): Plan {
  const before = [recordStep(site, backupId)];
  const { steps } = backupSteps(graph, site, backupId, store, sizes, before.length);
  return {
    verb: 'site.backup',
    subjectId: site.id,
    subject: site.name,
    summary: `Back ${displayName(site.name)} up to ${graph.serviceName(store)}`,
    steps: [...before, ...steps],
    warnings: [...sameServer(graph, site, store), ...warnings],
    pointOfNoReturn: null,
    locks: [`site/${site.id}`],
  };
}

function sameServer(graph: Graph, site: SiteRecord, store: ServiceRecord): readonly string[] {
  const { engine, serverId } = store;
  const servers = Object.values(site.bindings).map((id) => graph.service(id).serverId);
  if (engine !== 'mesh' || !servers.includes(serverId)) return [];
  return [`The backup lies on ${graph.server(serverId).name}, as the site does: it is lost with that server.`];
}

export function planVerifyBackup(graph: Graph, backup: BackupRecord, readAll: boolean): Plan {
  const store = graph.service(backup.serviceId);
  return {
    verb: 'backup.verify',
    subjectId: backup.siteId,
    subject: backup.siteName,
    summary: `Look whether backup ${backup.id} of ${displayName(backup.siteName)} is whole`,
    steps: [
      holdStep(graph, [store], 'shared'),
      {
        kind: 'backup.check',
        args: { backupId: backup.id, readAll },
        summary: `${readAll ? 'Read all of it' : 'Look whether all of it is there'} on ${graph.serviceName(store)}`,
        serverId: store.serverId,
        undo: READS,
      },
      releaseStep(graph, [store], 'shared'),
    ],
    warnings: [],
    pointOfNoReturn: null,
    locks: [`backup/${backup.id}`],
  };
}

export function planDeleteBackups(graph: Graph, store: ServiceRecord, backups: readonly BackupRecord[]): Plan {
  const [first] = backups;
  const what = backups.length === 1 && first !== undefined ? `backup ${first.id}` : `${backups.length} backups`;
  return removal(graph, store, backups, {
    verb: 'backup.delete',
    summary: `Delete ${what} on ${graph.serviceName(store)}`,
    warnings: lastOnes(backups),
    looks: false,
  });
}

/** backups: those that nothing keeps. */
export function planPruneStore(graph: Graph, store: ServiceRecord, backups: readonly BackupRecord[]): Plan {
  const name = graph.serviceName(store);
  const made = backups.filter(({ state }) => state !== 'deleting').length;
  const what = made === 0 ? 'what no backup needs' : `${made} ${made === 1 ? 'backup' : 'backups'} that nothing keeps`;
  const going = { verb: 'store.prune' as const, summary: `Remove ${what} from ${name}` };
  return removal(graph, store, backups, { ...going, warnings: named(backups), looks: true });
}

const MOST_NAMED = 50;

/** Which they are, so that a person can keep one. */
function named(backups: readonly BackupRecord[]): readonly string[] {
  if (backups.length === 0) return ['No backup goes; chunks of some that were never whole may.'];
  const told = backups
    .slice(0, MOST_NAMED)
    .map(({ id, siteName, takenAt }) => `${id} of ${displayName(siteName)}, ${moment(takenAt)}`);
  const more = backups.length - told.length;
  return [`These go: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`];
}

function lastOnes(backups: readonly BackupRecord[]): readonly string[] {
  const kept = backups.filter(({ keep }) => keep).map(({ id }) => id);
  return [
    'What only they have in the store is removed for good.',
    ...(kept.length === 0 ? [] : [`Marked to be kept: ${kept.join(', ')}.`]),
  ];
}

/** looks: records of those that are not in the store stay; a person who deletes one wants it forgotten. */
function removal(
  graph: Graph,
  store: ServiceRecord,
  backups: readonly BackupRecord[],
  { verb, summary, warnings, looks }: Pick<Plan, 'verb' | 'summary' | 'warnings'> & { readonly looks: boolean },
): Plan {
  const ids = backups.map(({ id }) => id);
  const name = graph.serviceName(store);
  const some = ids.length > 0;
  const mark: PlanStep = {
    kind: 'backup.mark',
    args: { backups: backups.map(({ id, state }) => ({ id, before: state })) },
    summary: `Record that ${counted(ids.length, 'backup')} ${ids.length === 1 ? 'goes' : 'go'}`,
    serverId: null,
    undo: { summary: 'record that they stay' },
  };
  // Those on their way out may have come in part, or be gone already.
  const whole = backups.filter(({ state }) => state !== 'deleting').map(({ id }) => id);
  const look: PlanStep[] =
    looks && whole.length > 0
      ? [
          {
            kind: 'store.look',
            args: { serviceId: store.id, backupIds: whole },
            summary: `Look which of them are on ${name}`,
            serverId: store.serverId,
            undo: READS,
          },
        ]
      : [];
  const looked: { readonly looked?: number } & JsonObject = look.length === 0 ? {} : { looked: 2 };
  const forget: PlanStep = {
    kind: 'backup.forget',
    args: { backupIds: ids, ...looked },
    summary: look.length === 0 ? 'Forget them' : 'Forget them, but for those that were not found',
    serverId: null,
    undo: { none: 'what is removed cannot come back' },
  };
  const before: PlanStep[] = [...(some ? [mark] : []), holdStep(graph, [store], 'exclusive'), ...look];
  return {
    verb,
    subjectId: store.id,
    subject: name,
    summary,
    steps: [
      ...before,
      {
        kind: 'store.prune',
        args: { serviceId: store.id, backupIds: ids, ...looked },
        summary: `Remove ${ids.length === 0 ? '' : 'them, and '}every chunk that no backup on ${name} names`,
        serverId: store.serverId,
        undo: { none: 'what is removed cannot come back' },
      },
      ...(some ? [forget] : []),
      releaseStep(graph, [store], 'exclusive'),
    ],
    warnings,
    pointOfNoReturn: before.length,
    locks: [`store/${placeOf(store)}`, ...ids.map((id) => `backup/${id}`)],
  };
}
