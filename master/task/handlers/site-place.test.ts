// Where a site is, and who tells a person what to set in DNS: recorded again after a crash, and taken back.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../../test/master-api.ts';
import { ids, platform, server, service, site } from '../../../test/records.ts';
import type { StepContext } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { createSitePlace } from './move.ts';

const before = { platformId: site.platformId, http: ids.nginx, db: ids.mariadb };
const to = { platformId: 'plat-0123456789abcdm1', http: 'svc-0123456789abcdm1', db: 'svc-0123456789abcdm2' };
const along = { to: 'svc-0123456789abcdm3', before: ids.dns };
const [OTHER, OFF] = ['svc-0123456789abcdm4', 'svc-0123456789abcdm5'];
const web2 = server('srv-0123456789abcdm1', 'web2', '192.0.2.21');
const ctx = {} as StepContext;
let master: MasterApi;
beforeAll(async () => {
  master = await openMasterApi();
  const { store } = master;
  await store.servers.insert(web2);
  const made = [
    service(to.http, web2.id, 'http', 'nginx', 80),
    service(to.db, web2.id, 'db', 'mariadb', 3306),
    service(along.to, web2.id, 'dns', 'null', 0),
    service(OTHER, ids.db1, 'dns', 'null', 0),
    service(OFF, ids.web1, 'dns', 'null', 0, { instance: 'off', state: 'disabled' }),
  ];
  for (const each of made) await store.services.insert(each);
  await store.platforms.insert({ ...platform, id: to.platformId, name: 'there', serviceId: to.http });
});
afterAll(() => master.close());

test.each([
  ['a dns service that goes along', along, ids.dns, along.to],
  ['one that stays', undefined, ids.dns, ids.dns],
  ['another one by now, which somebody chose', along, OTHER, OTHER],
  ['one that would go to a service that is disabled by now', { ...along, to: OFF }, ids.dns, ids.dns],
])('%s', async (_, dns, bound, then) => {
  const { store } = master;
  await store.sites.update(site.id, { bindings: { ...site.bindings, dns: bound } });
  const args = { siteId: site.id, to, before, ...(dns === undefined ? {} : { dns }) };
  const { do: place, undo } = createSitePlace({ store } as HandlerDeps);
  const seen = async () => {
    const { platformId, bindings } = (await store.sites.get(site.id)) ?? site;
    return { platformId, ...bindings };
  };
  for (const _ of ['once', 'and again']) {
    await place(args, ctx);
    expect(await seen()).toEqual({ ...to, dns: then });
  }
  if (typeof undo !== 'function') throw new Error('it takes nothing back');
  for (const _ of ['once', 'and again']) {
    await undo(args, ctx);
    expect(await seen()).toEqual({ ...before, dns: bound });
  }
});
