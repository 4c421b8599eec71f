import { describe, expect, test } from 'vitest';
import { graphOf, ids, platform, service, site, snapshot } from '../../test/records.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { planCreateBackup, planDeleteBackups, planPruneStore, planVerifyBackup } from './backup.ts';
import { planDeleteSite } from './change-site.ts';
import { planDrill } from './drill.ts';
import type { Plan } from './plan.ts';
import { planRestoreAs, planRestoreSite } from './restore.ts';

const store = service('svc-0123456789abcde7', ids.db1, 'file', 'mesh', 0);
const nas = service('svc-0123456789abcde8', ids.web1, 'file', 'mount', 0, { settings: { share: 'nas', path: '/nas' } });
const graph = graphOf({ services: [...snapshot.services, store, nas] });
const sizes = { fileBytes: 3_500_000, databaseBytes: 120_000, knownAt: Date.UTC(2026, 10, 26, 13, 5) };
const none = { fileBytes: null, databaseBytes: null, knownAt: null };
const part = (name: 'database' | 'files') => ({
  ...{ part: name, digest: 'ab', firstChunk: 1, chunks: 1, bytes: 3_000_000, entries: 12 },
});
const backup: BackupRecord = {
  ...{ id: 'bak-0123456789abcde1', siteId: site.id, siteName: site.name, serviceId: nas.id, state: 'ready' },
  ...{ reason: 'schedule', note: '', taskId: 'task-0', takenAt: 1000, bytes: 2500, newBytes: 2500, storedBytes: 900 },
  ...{ chunks: 5, digest: 'ab', parts: [part('database'), part('files')] },
  site: {
    ...{ aliases: ['old.example.org'], url: 'http://example.org', app: 'wordpress', appVersion: '6.0' },
    ...{ platformId: platform.id, platform: 'wordpress', dbServiceId: ids.mariadb, dbEngine: 'mariadb' },
    ...{ dnsServiceId: '', clientId: null, title: '', locale: '', profile: '', adminName: 'admin', adminMail: '' },
    ...{ web: site.web, cronSeconds: null, closed: false },
  },
  ...{ verifiedAt: null, triedAt: null, provenAt: null, provenMillis: 0, problem: '', keep: true },
};
const fresh = {
  ...site,
  id: 'site-0123456789abcde9',
  name: 'copy.example.org',
  aliases: [],
  state: 'installing' as const,
};
const plain = { ...fresh, bindings: { http: ids.nginx }, database: '' };

const plans: readonly (readonly [string, Plan])[] = [
  ['backup', planCreateBackup(graph, site, 'bak-1', store, sizes)],
  ['backup of a site without a database', planCreateBackup(graph, plain, 'bak-1', store, none)],
  ['backup beside the site', planCreateBackup(graph, site, 'bak-1', { ...store, serverId: ids.web1 }, none)],
  ['restore', planRestoreSite(graph, site, backup, { id: 'bak-1', store }, sizes)],
  [
    'restore of a disabled site',
    planRestoreSite(graph, { ...site, state: 'disabled' }, backup, { id: 'bak-1', store }, none),
  ],
  ['restore as another site', planRestoreAs(graph, fresh, backup, 'enabled', [])],
  [
    'drill',
    planDrill(
      graph,
      { ...fresh, bindings: { http: ids.nginx, db: ids.mariadb }, name: 'drill-1.aegir.invalid' },
      backup,
    ),
  ],
  ['look at a backup', planVerifyBackup(graph, backup, true)],
  ['delete of a backup', planDeleteBackups(graph, nas, [backup])],
  ['prune', planPruneStore(graph, nas, [backup])],
  ['prune of chunks alone', planPruneStore(graph, store, [])],
  ['delete of a site with a last backup', planDeleteSite(graph, site, { id: 'bak-1', store, sizes })],
];

test.each(['enabled', 'disabled'] as const)(
  'nothing runs of a site that was %s before anything is kept or put back',
  (state) => {
    const { steps } = planRestoreSite(graph, { ...site, state }, backup, { id: 'bak-1', store }, sizes);
    const off = steps.findIndex(
      ({ kind, args }) => kind === 'http.publish' && 'state' in args && args.state === 'disabled',
    );
    const touching = steps.findIndex(({ kind }) => /^(snapshot|backup\.store|files|database|restore)/.test(kind));
    expect(off).toBeGreaterThanOrEqual(0);
    expect(off).toBeLessThan(touching);
  },
);

describe.each(plans)('%s', (_, plan) => {
  test('is as the golden says', () => {
    const lines = plan.steps.map((step, index) => {
      const undo = 'summary' in step.undo ? `undo: ${step.undo.summary}` : `no undo: ${step.undo.none}`;
      return `${index}${plan.pointOfNoReturn === index ? '!' : ' '} ${step.kind} ${JSON.stringify(step.args)}\n     ${step.summary}; ${undo}`;
    });
    expect(
      `${plan.verb} ${plan.summary}\n${plan.locks.join(' ')}\n${lines.join('\n')}\n${plan.warnings.join('\n')}`,
    ).toMatchSnapshot();
  });

  test('survives JSON and names no secret', () => {
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    expect(JSON.stringify(plan)).not.toContain(site.dbPasswordSecret ?? '');
  });
});

test.each([
  ['self-signed', true],
  ['acme', true],
  ['acme-dns', true],
  ['off', false],
] as const)('a site with HTTPS %s has its certificate before its settings: %s', (https, has) => {
  const plan = planRestoreAs(graph, { ...fresh, web: { ...fresh.web, https } }, backup, 'enabled', []);
  const kinds = plan.steps.map(({ kind }) => kind);
  expect(kinds.includes('certificate.ensure')).toBe(has);
  if (has) expect(kinds.indexOf('certificate.ensure')).toBeLessThan(kinds.indexOf('site.prepare'));
});

test('a drill names the site that its backup is of in no step', () => {
  const plan = plans.find(([name]) => name === 'drill')?.[1];
  expect(plan?.locks).toEqual(['site/site-0123456789abcde9', `backup/${backup.id}`]);
  // What stands in the paths that are rewritten is no site that is acted on.
  const acted = plan?.steps.map(({ args }) => ({ ...args, oldSiteId: '' }));
  expect(JSON.stringify(acted)).not.toContain(site.id);
});
