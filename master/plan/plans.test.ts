import { describe, expect, test } from 'vitest';
import { graphOf, ids, platform, site } from '../../test/records.ts';
import { planEnableService, planVerifyPlatform, planVerifyServer } from './change-server.ts';
import { planDeleteSite, planDisableSite, planEnableSite, planLoginSite, planVerifySite } from './change-site.ts';
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

const plans: readonly (readonly [string, Plan])[] = [
  ['install', planInstallSite(graph, { ...fresh, name: 'xn--bcher-kva.example' }, true)],
  [
    'install of an app without installer',
    planInstallSite(graph, { ...fresh, bindings: { http: ids.nginx }, name: 'static.example' }, false),
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
