// A copy on another server has the dns service of that server where the site's own is one that only tells people what to set.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, platform, server, service, site } from '../../test/records.ts';
import { cloneSite } from './clone-site.ts';

const WEB2 = 'srv-0123456789abcde8';
const nginx = service('svc-0123456789abcde7', WEB2, 'http', 'nginx', 80);
const there = service('svc-0123456789abcde8', WEB2, 'dns', 'null', 0);
let master: MasterApi;

beforeAll(async () => {
  master = await openMasterApi();
  await master.store.servers.insert(server(WEB2, 'web2', '192.0.2.12'));
  for (const each of [nginx, there]) await master.store.services.insert(each);
  const other = { id: 'plat-0123456789abcde8', name: 'other', serviceId: nginx.id };
  await master.store.platforms.insert({ ...platform, ...other });
});
afterAll(() => master.close());

test.each([
  ['other', there.id],
  ['', ids.dns],
])('on platform %j', async (on, dns) => {
  const deps = { ...master.deps, facts: { ...master.deps.facts, meshState: () => 'running' as const } };
  const newName = `copy${on}.example.net`;
  const options = { planOnly: false, idempotencyKey: '' };
  const asked = { site: site.name, newName, platform: on, db: '', dns: '', client: '', options };
  await cloneSite(deps, { actor: 'anne', role: 'admin' }, asked);
  const made = (await master.store.sites.find()).find(({ name }) => name === newName);
  expect(made?.bindings.dns).toBe(dns);
});
