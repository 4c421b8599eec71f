import { describe, expect, test } from 'vitest';
import { graphOf, ids, platform, server, service, site, snapshot } from '../../test/records.ts';
import { planEnableService, planVerifyPlatform, planVerifyServer } from './change-server.ts';
import { planDeleteSite, planDisableSite, planEnableSite, planLoginSite, planVerifySite } from './change-site.ts';
import { planCertifySite } from './change-site-web.ts';
import { planCloneSite } from './clone-site.ts';
import { planInstallSite } from './install-site.ts';
import { planTestMesh } from './mesh.ts';
import type { Plan } from './plan.ts';

const fresh = {
  ...site,
  id: 'site-0123456789abcde9',
  name: 'bücher.example',
  aliases: [],
  state: 'installing' as const,
};
const graph = graphOf();
const copy = {
  ...fresh,
  name: 'copy.example.org',
  dbPasswordSecret: 'sec-0123456789abcde7',
  saltSecret: 'sec-0123456789abcde8',
};
const secure = { ...site.web, https: 'acme' as const, redirect: true };
const elsewhere = graphOf({
  servers: [...snapshot.servers, server('srv-w2', 'web2', '192.0.2.12')],
  services: [...snapshot.services, service('svc-w2', 'srv-w2', 'http', 'nginx', 80)],
  platforms: [
    platform,
    {
      ...{ ...platform, id: 'plat-w2', name: 'newer', serviceId: 'svc-w2' },
      facts: { app: 'wordpress', version: '9.0', docroot: platform.root, phpMinimum: '', profiles: [], languages: [] },
    },
  ],
});

const plans: readonly (readonly [string, Plan])[] = [
  ['install', planInstallSite(graph, { ...fresh, name: 'xn--bcher-kva.example' }, true)],
  [
    'install of an app without installer',
    planInstallSite(graph, { ...fresh, bindings: { http: ids.nginx }, name: 'static.example' }, false),
  ],
  [
    'clone',
    planCloneSite(graph, site, copy, {
      fileBytes: 5_000_000,
      databaseBytes: null,
      knownAt: Date.UTC(2026, 10, 26, 13, 5),
    }),
  ],
  [
    'clone to another server, with HTTPS',
    planCloneSite(
      elsewhere,
      site,
      { ...copy, platformId: 'plat-w2', bindings: { http: 'svc-w2', db: ids.mariadb }, web: secure },
      {
        fileBytes: null,
        databaseBytes: null,
        knownAt: null,
      },
    ),
  ],
  ['verify', planVerifySite(graph, site)],
  ['verify of a disabled site', planVerifySite(graph, { ...site, state: 'disabled' })],
  ['enable', planEnableSite(graph, { ...site, state: 'disabled' })],
  ['disable', planDisableSite(graph, site)],
  ['login', planLoginSite(graph, site, '')],
  ['delete', planDeleteSite(graph, site)],
  ['server verify', planVerifyServer(graph, graph.server('db1'))],
  ['mesh test', planTestMesh(graph, graph.server('db1'), graph.server('web1'), 1024)],
  ['service enable', planEnableService(graph, { ...graph.service(ids.nginx), state: 'detected' })],
  ['platform add', planVerifyPlatform(graph, { ...platform, state: 'new' }, true)],
];

test('a certificate is followed by the settings, which name the address that a first one changes', () => {
  const kinds = planCertifySite(graph, { ...site, web: secure }).steps.map(({ kind }) => kind);
  expect(kinds.lastIndexOf('site.prepare')).toBeGreaterThan(kinds.indexOf('certificate.fetch'));
  expect(kinds.lastIndexOf('site.probe')).toBeGreaterThan(kinds.lastIndexOf('site.prepare'));
});

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

test('an install records the site first, so that undoing ends with forgetting it', () => {
  const [, install] = plans[0] ?? [];
  expect(install?.steps[0]?.args).toMatchObject({ to: 'installing', before: 'absent' });
  expect(install?.steps.at(-1)?.args).toMatchObject({ to: 'enabled', before: 'installing' });
});

test('nothing is removed before the point of no return of a delete', () => {
  const plan = planDeleteSite(graph, site);
  const first = plan.steps.findIndex((step) =>
    ['http.unpublish', 'db.drop', 'site.remove', 'site.forget'].includes(step.kind),
  );
  expect(plan.pointOfNoReturn).toBe(first);
});

test('a clone only reads the site that is copied', () => {
  for (const [name, plan] of plans.filter(([name]) => name.startsWith('clone'))) {
    for (const { kind, args, serverId } of plan.steps) {
      if (!JSON.stringify(args).includes(site.id)) continue;
      expect([name, kind]).toEqual([
        name,
        expect.stringMatching(/^(?:move\.check|copy\.database|copy\.files|site\.rewrite)$/),
      ]);
      // What they write is the copy's.
      if (kind !== 'move.check') expect(args).toMatchObject({ siteId: copy.id });
      expect(serverId).not.toBeNull();
    }
    expect(plan.pointOfNoReturn).toBeNull();
  }
});
