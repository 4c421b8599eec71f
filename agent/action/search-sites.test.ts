// What services have of sites, for a master that may have forgotten them.
import { expect, test } from 'vitest';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Engine } from '../engine/engine.ts';
import type { Tools } from './action.ts';
import { searchSites } from './search-sites.ts';

const service = (id: string, engine: string): ServiceRef => ({
  ...{ id, serverId: 'srv-0000000000000001', type: 'http', engine, instance: '', version: '1' },
  ...{ settings: {}, secrets: {} },
});

test('all services are asked; one that cannot be looked into is logged, and is no end of it', async () => {
  const logged: string[] = [];
  const ctx = { signal: new AbortController().signal, log: (_: string, text: string) => logged.push(text) };
  const engine = (name: string, inspect: Engine['inspect']) => ({ type: 'http', name, inspect });
  const engines = [
    engine('nginx', async () => [{ siteId: 'site-0000000000000001', what: 'virtual host' }]),
    engine('apache', async () => {
      throw new Error('it is broken');
    }),
  ];
  const found = await searchSites(
    [service('svc-1', 'apache'), service('svc-2', 'nginx'), service('svc-3', 'unheard')],
    ctx as unknown as ActionContext,
    { engines } as unknown as Tools,
  );
  expect(found).toEqual({ sites: [{ serviceId: 'svc-2', siteId: 'site-0000000000000001', what: 'virtual host' }] });
  expect(logged).toEqual([
    expect.stringContaining('apache for sites: it is broken'),
    expect.stringContaining('unheard'),
  ]);
});

test('so much is told and no more', async () => {
  const many = Array.from({ length: 9000 }, (_, i) => ({
    siteId: `site-${String(i).padStart(16, '0')}`,
    what: 'pool',
  }));
  const engines = [{ type: 'http', name: 'nginx', inspect: async () => many }];
  const ctx = { signal: new AbortController().signal, log() {} } as unknown as ActionContext;
  const found = await searchSites([service('svc-1', 'nginx')], ctx, { engines } as unknown as Tools);
  expect(found.sites).toHaveLength(5000);
});
