// What still works with a platform, a service, a cluster, a head or a zone keeps it: told with the command that helps.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZoneRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, platform, service, site } from '../../test/records.ts';
import type { JsonObject, PlatformRecord, SiteMove, ZoneRecord } from '../store/model.ts';
import { deleteCluster, removeHead } from './cluster.ts';
import { removeService } from './declare-service.ts';
import type { Caller } from './deps.ts';
import { removePlatform } from './platform.ts';
import { disableService } from './service.ts';
import { removeZone } from './zone.ts';

const ADMIN: Caller = { actor: 'root', role: 'admin' };
const OTHER = service('svc-0123456789abcdf1', ids.db1, 'http', 'nginx', 80);
const STORE = service('svc-0123456789abcdf2', ids.db1, 'file', 'mount', 0, { origin: 'declared', instance: 'nas' });
const POOL = service('svc-0123456789abcdf3', ids.db1, 'http', 'cluster', 80, { instance: 'pool', origin: 'declared' });
const NEW: PlatformRecord = {
  ...platform,
  id: 'plat-0123456789abcdf1',
  name: 'new',
  serviceId: OTHER.id,
  root: '/new',
};
const FROM = { platformId: ids.platform, http: ids.nginx, db: ids.mariadb };
const ZONE: ZoneRecord = {
  ...{ id: 'zone-0123456789abcdf1', name: 'other.example', serviceId: ids.dns, state: 'active', nameservers: [] },
  ...{ contact: 'ops@other.example', ttl: 3600, lowTtl: 60, ttlPolicy: 'normal', leadSeconds: 60, negativeTtl: 60 },
  ...{ dnssec: false, createdAt: 1 },
};
let master: MasterApi;

beforeAll(async () => {
  master = await openMasterApi();
  await master.store.transaction(async (tx) => {
    for (const each of [OTHER, STORE, POOL]) await tx.services.insert(each);
    await tx.platforms.insert(NEW);
    for (const [n, serviceId] of [OTHER.id, ids.nginx].entries()) {
      const id = `head-0123456789abcdf${n}`;
      await tx.heads.insert({ id, clusterId: POOL.id, serviceId, state: 'active', weight: 1 });
    }
  });
});
afterAll(() => master.close());
let count = 0;
/** Of the site; plan: what it names. */
async function task(plan: JsonObject): Promise<string> {
  count += 1;
  const id = `task-${String(count).padStart(16, '0')}`;
  await master.store.tasks.insert({
    ...{
      id,
      verb: 'site.migrate',
      subjectId: site.id,
      subject: site.name,
      locks: [],
      plan,
      state: 'stuck',
      reason: '',
    },
    ...{ actor: 'test', createdAt: 1, startedAt: null, finishedAt: null, resumeAt: null, steps: [] },
    ...{ cancelRequested: false, undoCause: null, idempotencyKey: null },
  });
  return id;
}
const end = async (id: string) =>
  master.store.tasks.update(id, (await master.store.tasks.get(id))?.leaseEpoch ?? 0, {
    state: 'failed',
    finishedAt: 1,
  });

const options = (planOnly: boolean) => ({ planOnly, idempotencyKey: '' });
const cluster = { cluster: 'pool', confirm: true };
const headRequest = { ...cluster, service: OTHER.id, weight: 0, patienceSeconds: 0, abandoned: false, discard: false };
const zoneRequest = ZoneRequest.fromPartial({ zone: ZONE.id, confirm: true });
/** What is taken away, the id by which plans name it, and what the refusal says. */
const ALL: readonly (readonly [string, string, string, (planOnly: boolean) => Promise<unknown>])[] = [
  [
    ...(['a platform', NEW.id, 'remove platform new'] as const),
    (plan) => removePlatform(master.deps, { platform: NEW.id, confirm: true, options: options(plan) }),
  ],
  [
    ...(['a service in use no more', STORE.id, 'take db1/mount:nas out of use'] as const),
    (plan) => disableService(master.deps, { service: STORE.id, options: options(plan) }),
  ],
  [
    ...(['a declared service', STORE.id, 'remove db1/mount:nas'] as const),
    (plan) =>
      removeService(master.deps, { service: STORE.id, confirm: true, abandoned: false, options: options(plan) }),
  ],
  [
    ...(['a cluster', POOL.id, 'delete cluster pool'] as const),
    (plan) => deleteCluster(master.deps, ADMIN, { ...cluster, options: options(plan) }),
  ],
  [
    ...(['a head', POOL.id, 'remove db1/nginx from pool'] as const),
    (plan) => removeHead(master.deps, ADMIN, { ...headRequest, options: options(plan) }),
  ],
];

test.each(ALL)(
  '%s stays while a task that is not over names it, and while a site is on its way there',
  async (_, id, what, take) => {
    const works = await task({ steps: [{ args: { from: FROM, to: { ...FROM, http: id } } }] });
    const told = `cannot ${what}: task ${works}, site.migrate of example.org, works with it (it is stuck: aegir task retry ${works}, or`;
    await expect(take(false)).rejects.toThrow(told);
    await expect(take(true)).rejects.toThrow(told);
    await end(works);
    const moving: SiteMove = { from: { platformId: id, http: id, db: '' }, to: FROM, phase: 'moved' };
    await master.store.sites.update(site.id, { moving });
    const going = `cannot ${what}: site example.org is on its way from or to it (aegir task list --subject ${site.id})`;
    await expect(take(false)).rejects.toThrow(going);
    await expect(take(true)).rejects.toThrow(going);
    await master.store.sites.update(site.id, { moving: null });
    await expect(take(true)).resolves.toBeDefined();
  },
);

test('a zone stays while a task publishes in it', async () => {
  await master.store.zones.insert(ZONE);
  const remove = (planOnly: boolean) => removeZone(master.deps, ADMIN, { ...zoneRequest, options: options(planOnly) });
  const works = await task({ steps: [{ kind: 'dns.publish', args: { zone: 'other.example' } }] });
  await expect(remove(false)).rejects.toThrow(`cannot remove zone other.example: task ${works}, site.migrate`);
  await end(works);
  await expect(remove(true)).resolves.toBeDefined();
});

test('a task that would be waited for stands in no way', async () => {
  const works = await task({ locks: [`cluster/${POOL.id}`], steps: [{ args: { clusterId: POOL.id } }] });
  const answer = await deleteCluster(master.deps, ADMIN, { ...cluster, options: options(true) });
  expect(answer.plan?.verb).toBe('cluster.delete');
  await end(works);
});
