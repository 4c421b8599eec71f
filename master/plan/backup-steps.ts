// Builders of the steps that plans about backups share. Steps name others by index: each builder is told where its own
// begin, and gives them back.
import { byteSize } from '../../shared/byte-size.ts';
import { moment } from '../../shared/for-people.ts';
import { displayName } from '../../shared/name.ts';
import { treesOf } from '../../shared/vocabulary.ts';
import type { Graph } from '../graph/graph.ts';
import { mainWebServer } from '../graph/spread.ts';
import { placeOf } from '../graph/stores.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { Safety } from './backup-args.ts';
import type { PlanStep } from './plan.ts';

/** As last known, by agents' measuring or a backup; null for not known. */
export interface SiteSizes {
  readonly fileBytes: number | null;
  readonly databaseBytes: number | null;
  /** When the older of these was found (UTC, milliseconds); null where neither is, or it is not known when. */
  readonly knownAt: number | null;
}

export const READS = { none: 'it only looks' } as const;

/** In words; '' where nothing is known. */
export function sizeText({ fileBytes, databaseBytes, knownAt }: SiteSizes): string {
  const told = [
    ...(fileBytes === null ? [] : [`${byteSize(fileBytes)} of files`]),
    ...(databaseBytes === null ? [] : [`${byteSize(databaseBytes)} in the database`]),
  ];
  return told.length === 0 ? '' : `about ${told.join(', ')}${asOf(knownAt)}`;
}

/** What a site holds may have grown since. */
export function asOf(knownAt: number | null): string {
  return knownAt === null ? '' : `, as of ${moment(knownAt)}`;
}

/** Several services may lead to one place. */
export function placesOf(services: readonly ServiceRecord[]): readonly string[] {
  return [...new Set(services.map(placeOf))].sort();
}

export function holdStep(graph: Graph, services: readonly ServiceRecord[], mode: 'shared' | 'exclusive'): PlanStep {
  const names = [...new Set(services.map((service) => graph.serviceName(service)))].join(' and ');
  return {
    kind: 'store.hold',
    args: { places: placesOf(services), mode, services: [...new Set(services.map(({ id }) => id))] },
    summary:
      mode === 'shared'
        ? `Wait until nothing is removed from ${names}, and keep it so`
        : `Wait until nobody brings or reads backups on ${names}, and keep it so`,
    serverId: null,
    undo: { summary: 'let others work there' },
  };
}

/** readBack: what is undone before it reads the store. */
export function releaseStep(
  graph: Graph,
  services: readonly ServiceRecord[],
  mode: 'shared' | 'exclusive',
  readBack = false,
): PlanStep {
  const names = [...new Set(services.map((service) => graph.serviceName(service)))].join(' and ');
  return {
    kind: 'store.release',
    args: { places: placesOf(services), mode, ...(readBack ? {} : { forGood: true }) },
    summary: `Let others work on ${names} again`,
    serverId: null,
    undo: readBack
      ? { summary: 'keep it so again, for what is undone before' }
      : { none: 'what is undone before needs nothing of the store' },
  };
}

export function recordStep(site: Pick<SiteRecord, 'name'>, backupId: string): PlanStep {
  return {
    kind: 'backup.record',
    args: { backupId },
    summary: `Record that backup ${backupId} of ${displayName(site.name)} is being made`,
    serverId: null,
    undo: { summary: 'forget it; what came to the store goes when that is pruned' },
  };
}

/**
 * Snapshots, the archive in the store, and that it is whole. The database first: files that it names are there then. The
 * store is held from when all was read until the backup is whole, so that no site that takes long to read keeps it; held:
 * by who calls, from before and for longer.
 */
export function backupSteps(
  graph: Graph,
  site: SiteRecord,
  backupId: string,
  store: ServiceRecord,
  sizes: SiteSizes,
  at: number,
  held = false,
): { readonly steps: readonly PlanStep[]; readonly stored: number } {
  const name = displayName(site.name);
  const web = mainWebServer(graph, site);
  const db = site.bindings.db === undefined ? undefined : graph.service(site.bindings.db);
  const trees = treesOf(graph.platform(site.platformId).app);
  const taken: PlanStep[] = [];
  if (db !== undefined) {
    taken.push({
      kind: 'snapshot.take',
      args: { siteId: site.id, serverId: db.serverId, part: 'database', trees: [] },
      summary: `Dump database ${site.database} on ${graph.serviceName(db)}, as it is at one moment`,
      serverId: db.serverId,
      undo: { summary: 'remove the dump' },
    });
  }
  taken.push({
    kind: 'snapshot.take',
    args: { siteId: site.id, serverId: web.serverId, part: 'files', trees },
    summary: `Note what the files of ${name} are on ${graph.server(web.serverId).name}`,
    serverId: web.serverId,
    undo: { summary: 'forget it' },
  });
  const [dump, tree] = db === undefined ? [null, at] : [at, at + 1];
  const hold = held ? [] : [holdStep(graph, [store], 'shared')];
  const stored = at + taken.length + hold.length;
  const size = sizeText(sizes);
  const steps: PlanStep[] = [
    ...taken,
    ...hold,
    {
      kind: 'backup.store',
      args: {
        ...{ backupId, siteId: site.id, serviceId: store.id },
        files: { take: tree, serverId: web.serverId, trees },
        database: db === undefined || dump === null ? null : { take: dump, serverId: db.serverId },
      },
      summary: `Bring them to ${graph.serviceName(store)}, as far as they are not there yet${size === '' ? '' : ` (${size})`}`,
      serverId: store.serverId,
      undo: { summary: 'nothing names what came; it goes when the store is pruned' },
    },
    {
      kind: 'backup.ready',
      args: { backupId, store: stored },
      summary: `Record that backup ${backupId} is whole`,
      serverId: null,
      undo: { summary: 'record that it is not' },
    },
    ...(held ? [] : [releaseStep(graph, [store], 'shared')]),
    ...taken.map(
      (step, index): PlanStep => ({
        kind: 'snapshot.drop',
        args: {
          siteId: site.id,
          serverId: step.serverId ?? '',
          part: index === 0 && db !== undefined ? 'database' : 'files',
          take: at + index,
        },
        summary: index === 0 && db !== undefined ? 'Remove the dump' : 'Forget what the files were',
        serverId: step.serverId,
        undo: { none: 'it is taken anew when it is needed' },
      }),
    ),
  ];
  return { steps, stored };
}

/** A backup's parts into a site that is prepared. safety: what undo brings back. */
export function restoreSteps(
  graph: Graph,
  site: SiteRecord,
  backup: BackupRecord,
  safety: Safety | null,
): readonly PlanStep[] {
  const web = mainWebServer(graph, site);
  const store = graph.service(backup.serviceId);
  const undo =
    safety === null
      ? ({ none: 'the copy goes with the steps before' } as const)
      : ({ summary: `bring back what backup ${safety.backupId} kept` } as const);
  const has = (part: string) => backup.parts.find((each) => each.part === part);
  const size = (part: string) => byteSize(has(part)?.bytes ?? 0);
  const steps: PlanStep[] = [];
  if (site.bindings.db !== undefined && has('database') !== undefined) {
    const db = graph.service(site.bindings.db);
    steps.push({
      kind: 'restore.database',
      args: { siteId: site.id, serviceId: db.id, backupId: backup.id, safety },
      summary: `Make database ${site.database} on ${graph.serviceName(db)} what the backup on ${graph.serviceName(store)} holds (${size('database')})`,
      serverId: db.serverId,
      undo,
    });
  }
  const trees = treesOf(graph.platform(site.platformId).app);
  if (trees.length > 0 && has('files') !== undefined) {
    steps.push({
      kind: 'restore.files',
      args: { siteId: site.id, serverId: web.serverId, trees, backupId: backup.id, safety },
      summary: `Make the files of ${displayName(site.name)} on ${graph.server(web.serverId).name} what the backup holds (${size('files')}, less what is there already)`,
      serverId: web.serverId,
      undo,
    });
  }
  return steps;
}

/** A warning where nobody knows what of the content is a URL, or a name; name: what it says. */
export function asItIs(app: string, name: string): readonly string[] {
  if (app === 'drupal' || app === 'wordpress') return [];
  return [`Content of ${app} sites is copied as it is: where it says ${name}, or its URL, it goes on doing so.`];
}

/** Content that is for another URL, or other names, is made to say the site's own, where the app keeps them in it. */
export function rewriteSteps(
  graph: Graph,
  site: SiteRecord,
  from: { readonly url: string; readonly names: readonly string[]; readonly siteId: string },
): readonly PlanStep[] {
  const { app } = graph.platform(site.platformId);
  if (app !== 'drupal' && app !== 'wordpress') return [];
  const { serverId } = mainWebServer(graph, site);
  return [
    {
      kind: 'site.rewrite',
      args: { siteId: site.id, serverId, oldUrl: from.url, oldNames: from.names, oldSiteId: from.siteId },
      summary: `Have ${app} say ${displayName(site.name)} where it says ${from.url}`,
      serverId,
      undo: { none: 'what it is in goes with the steps before' },
    },
  ];
}
