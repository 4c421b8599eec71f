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

const files = (names?: readonly string[]) => ({
  ...{ paths: { sites: '/var/lib/aegir/sites' } },
  files: { exists: async () => names !== undefined, list: async () => names ?? [] },
});
const NOTHING = { signal: new AbortController().signal, host: files() };

test('directories of sites are named, whichever services there are; of others nothing is said', async () => {
  const host = files(['site-0000000000000001', 'lost+found', 'site-x', '.site-0000000000000002']);
  const found = await searchSites([], { ...NOTHING, host } as unknown as ActionContext, {} as Tools);
  expect(found.sites).toEqual([
    {
      ...{ serviceId: '', siteId: 'site-0000000000000001' },
      what: 'directory /var/lib/aegir/sites/site-0000000000000001',
    },
  ]);
});

test('all services are asked; one that cannot be looked into is logged, and is no end of it', async () => {
  const logged: string[] = [];
  const ctx = { ...NOTHING, log: (_: string, text: string) => logged.push(text) };
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
  const ctx = { ...NOTHING, log() {} } as unknown as ActionContext;
  const found = await searchSites([service('svc-1', 'nginx')], ctx, { engines } as unknown as Tools);
  expect(found.sites).toHaveLength(5000);
});
