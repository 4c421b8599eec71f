// The verbs of backups, as cases.ts has those of sites and servers.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { planCreateBackup, planDeleteBackups, planPruneStore, planVerifyBackup } from '../../plan/backup.ts';
import { planSetService } from '../../plan/change-service.ts';
import { planDeleteSite } from '../../plan/change-site.ts';
import { planDrill } from '../../plan/drill.ts';
import type { Plan } from '../../plan/plan.ts';
import { planRestoreAs, planRestoreSite } from '../../plan/restore.ts';
import type { ServiceRecord, SiteRecord } from '../../store/model.ts';
import type { BackupRecord } from '../../store/model-backup.ts';
import { missingFrom } from '../handlers/store-find.ts';
import type { Ground } from './cases.ts';

export interface BackupCase {
  readonly name: string;
  readonly plan: Plan;
  readonly ground: Ground;
  readonly world: readonly string[];
  readonly doneWorld: readonly string[];
  readonly done: Ground;
  readonly undone: Ground;
  readonly kept: Readonly<Record<string, string>>;
}

/** Ids that the cases' tasks bring. */
export const FRESH = 'bak-9999999999999999';
const DIGEST = '07'.repeat(32);
export const NO_SIZES = { fileBytes: 1_000_000, databaseBytes: null, knownAt: Date.UTC(2026, 10, 26, 13, 5) };

/** A file service on the server of the databases. */
export function storeOf(snapshot: GraphSnapshot): ServiceRecord {
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  return {
    ...{ ...nginx, id: 'svc-0123456789abcdz1', serverId: mariadb.serverId, type: 'file', engine: 'mesh' },
    detected: { ...nginx.detected, type: 'file', engine: 'mesh', ports: [] },
  };
}

/** Of the snapshot's site, there. */
export function beingMade(snapshot: GraphSnapshot): BackupRecord {
  const [, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const [site] = snapshot.sites as [SiteRecord];
  return {
    ...{ id: FRESH, siteId: site.id, siteName: site.name, serviceId: storeOf(snapshot).id, state: 'making' },
    ...{ reason: 'person', note: '', taskId: 'task-0', takenAt: 1000, bytes: 2500, newBytes: 2500, storedBytes: 900 },
    ...{ chunks: 5, digest: '', parts: [] },
    site: {
      ...{ aliases: site.aliases, url: 'http://old.example.org', app: 'wordpress', appVersion: '6.1.1' },
      ...{ platformId: site.platformId, platform: 'wordpress', dbServiceId: mariadb.id, dbEngine: 'mariadb' },
      ...{ dnsServiceId: '', clientId: null, title: site.title, locale: '', profile: '', adminName: 'admin' },
      ...{ adminMail: '', web: site.web, cronSeconds: null, closed: false },
    },
    ...{ verifiedAt: null, triedAt: null, provenAt: null, provenMillis: 0, problem: '', keep: false },
  };
}

export function made(making: BackupRecord): BackupRecord {
  return { ...making, state: 'ready', digest: DIGEST };
}

/** served: the world of the site in the snapshot. */
export function backupCases(snapshot: GraphSnapshot, served: readonly string[]): readonly BackupCase[] {
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const [site] = snapshot.sites as [SiteRecord];
  const store = storeOf(snapshot);
  const making = beingMade(snapshot);
  const part = (name: 'database' | 'files', firstChunk: number, entries: number) => ({
    ...{ part: name, digest: DIGEST, firstChunk, chunks: 1, bytes: 1000, entries },
  });
  const old: BackupRecord = {
    ...{ ...making, id: 'bak-0123456789abcde1', state: 'ready', reason: 'schedule', digest: DIGEST },
    parts: [part('database', 1, 12), part('files', 2, 3)],
  };
  const ready = made(making);
  const base: Ground = { ...snapshot, services: [...snapshot.services, store] };
  const has = (...backups: readonly BackupRecord[]): Ground => ({ ...base, backups });
  const graph = createGraph(base);
  const words = (word: string, at: string = site.id) => [
    `${nginx.serverId} files of site/${at} ${word}`,
    `${mariadb.serverId} database of site/${at} ${word}`,
  ];
  const now = [...served, ...words('new')].sort();
  const kept = { [`${old.id} files`]: 'old', [`${old.id} database`]: 'old' };
  const same = { world: now, doneWorld: now, kept };

  const copy: SiteRecord = {
    ...{ ...site, id: 'site-0123456789abcdz2', name: 'copy.example.org', aliases: [], state: 'installing' },
    ...{ dbPasswordSecret: 'sec-0123456789abcdz3', saltSecret: 'sec-0123456789abcdz4' },
    ...{ database: 'site_0123456789abcdz2', dbUser: 's_0123456789abcdz2' },
    bindings: { http: nginx.id, db: mariadb.id },
  };
  const drilled: SiteRecord = { ...copy, name: 'drill-0123456789abcdz2.aegir.invalid', cronSeconds: 0 };
  const withCopy = (state: SiteRecord['state'], backups: readonly BackupRecord[]): Ground => ({
    ...{ ...base, sites: [site, { ...copy, state }], backups },
  });
  const copied = [
    ...[`${mariadb.serverId} db site/${copy.id}`, `${nginx.serverId} files site/${copy.id}`],
    ...[`${nginx.serverId} http site/${copy.id} enabled, cron 900`, ...words('old', copy.id)],
  ];
  const lost = { ...old, id: 'bak-0123456789abcde3', takenAt: 500 };
  const going = { ...old, id: 'bak-0123456789abcde2', state: 'deleting' as const, problem: 'cannot' };

  const elsewhere = { settings: { root: '/srv/elsewhere' }, secrets: {} };

  return [
    {
      ...{ name: 'service set to a place where its backups lie already', ...same },
      plan: planSetService(graph, store, elsewhere, { backups: [old], are: 'moved' }),
      ...{ ground: has(old), undone: has(old) },
      done: { ...base, services: [...snapshot.services, { ...store, ...elsewhere }], backups: [old] },
    },
    {
      ...{ name: 'backup create', plan: planCreateBackup(graph, site, FRESH, store, NO_SIZES), ...same },
      ...{ ground: has(making), done: has(ready), undone: has() },
    },
    {
      ...{ name: 'backup restore', ...same, doneWorld: [...served, ...words('old')].sort() },
      plan: planRestoreSite(graph, site, old, { id: FRESH, store }, NO_SIZES),
      ...{ ground: has(old, making), done: has(old, ready), undone: has(old) },
    },
    {
      ...{ name: 'backup restore as another site', ...same, doneWorld: [...now, ...copied].sort() },
      plan: planRestoreAs(createGraph(withCopy('installing', [])), copy, old, 'enabled', []),
      ...{ ground: withCopy('installing', [old]), done: withCopy('enabled', [old]), undone: has(old) },
    },
    {
      ...{ name: 'backup drill', plan: planDrill(graph, drilled, old), ...same },
      ground: { ...base, sites: [site, drilled], backups: [old] },
      ...{ done: has(old), undone: has(old) },
    },
    {
      ...{ name: 'backup verify', plan: planVerifyBackup(graph, old, true), ...same },
      ...{ ground: has(old), done: has(old), undone: has(old) },
    },
    {
      ...{ name: 'backup delete', plan: planDeleteBackups(graph, store, [old]), ...same },
      ...{ ground: has(old), done: has(), undone: has(old) },
    },
    {
      ...{ name: 'store prune', plan: planPruneStore(graph, store, [going]), ...same },
      ...{ ground: has(old, going), done: has(old), undone: has(old, going) },
    },
    {
      ...{ name: 'store prune of one that is not there', plan: planPruneStore(graph, store, [lost, old]), ...same },
      ground: has(lost, old),
      done: has({ ...lost, state: 'missing', problem: missingFrom(graph.serviceName(store)) }),
      undone: has(lost, old),
    },
    {
      ...{ name: 'delete with a last backup', ...same, doneWorld: [] },
      plan: planDeleteSite(graph, site, { id: FRESH, store, sizes: NO_SIZES }),
      ground: has({ ...making, reason: 'delete' }),
      ...{ done: { ...has({ ...ready, reason: 'delete' }), sites: [] }, undone: has() },
    },
  ];
}
