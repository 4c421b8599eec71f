// Removing a server: what still uses it keeps it, and the command that helps is told; else it is revoked and gone. One that is
// gone for good takes along what it had. What was cut in the middle is repeated.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RemoveServerRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, server, service, site } from '../../test/records.ts';
import { DEFAULT_POLICY } from '../store/model-backup.ts';
import { newBackup } from './backup-new.ts';
import { change } from './change.ts';
import { loadGraph } from './load.ts';
import { removeServer } from './remove-server.ts';
import { acceptServer, verifyServer } from './server.ts';

const EMPTY = 'srv-0123456789abcde7';
const STORE = 'svc-0123456789abcde7';
const CALLER = { actor: 'root', role: 'admin' } as const;
const POLICY = {
  ...{ everySeconds: 0, keepLast: 1, keepDaily: 0, keepWeekly: 0, keepMonthly: 0, keepYearly: 0 },
  ...{ drillEverySeconds: 0, drillServerId: null },
};

let master: MasterApi;
let order: string[];
let broken: Error | undefined;

beforeEach(async () => {
  master = await openMasterApi();
  order = [];
  broken = undefined;
  vi.spyOn(master.agents, 'isConnected').mockReturnValue(false);
  vi.spyOn(master.agents, 'disconnect').mockImplementation((id, why) => void order.push(`${why} ${id}`));
  await master.store.transaction(async (tx) => {
    await tx.servers.insert(server(EMPTY, 'spare', '192.0.2.31'));
    await tx.services.insert(service(STORE, EMPTY, 'file', 'mesh', 0, { secrets: { key: 'sec-0123456789abcde7' } }));
    await tx.secrets.insert({ id: 'sec-0123456789abcde7', sealed: 'x' });
    for (const [id, notAfter] of [
      ['aa', Date.now() + 60_000],
      ['bb', 1],
    ] as const) {
      await tx.certificates.insert({ id, serverId: EMPTY, notAfter, revokedAt: null });
    }
  });
});
afterEach(() => master.close());

function remove(name: string, more: { abandoned?: boolean; confirm?: boolean; plan?: boolean } = {}) {
  const revokeMesh = async (id: string) => {
    order.push(`mesh ${id} ${(await master.store.servers.get(id))?.state}`);
    if (broken !== undefined) throw broken;
  };
  const options = { planOnly: more.plan === true, idempotencyKey: '' };
  const request = { server: name, confirm: more.confirm ?? true, abandoned: more.abandoned === true, options };
  return removeServer({ ...master.deps, revokeMesh }, RemoveServerRequest.fromPartial(request));
}

async function backupAt(serviceId: string): Promise<void> {
  const graph = await loadGraph(master.store);
  const made = { id: 'bak-0123456789abcde7', reason: 'person' as const, taskId: '', takenAt: 1_700_000_000_000 };
  const backup = newBackup(graph, site, { ...made, store: graph.service(serviceId) });
  await master.store.backups.insert({ ...backup, state: 'ready' });
}

test('an empty one is revoked, cut off, and gone; what is left of it lets nobody in', async () => {
  await master.store.backupPolicies.insert({ ...POLICY, id: DEFAULT_POLICY, serviceId: null, drillServerId: EMPTY });
  const plan = (await remove('spare', { plan: true, confirm: false })).plan;
  expect(plan?.steps.map(({ kind }) => kind)).toEqual(['server.revoke', 'server.forget']);
  expect((await master.store.servers.get(EMPTY))?.state).toBe('accepted');
  await expect(remove('spare', { confirm: false })).rejects.toThrow(/not confirmed; say --yes/);

  const was = await remove('spare');
  expect(was).toMatchObject({ id: EMPTY, name: 'spare', state: 'accepted', services: [{ engine: 'mesh' }] });
  expect(order).toEqual([`revoked ${EMPTY}`, `mesh ${EMPTY} revoked`]);
  expect(await master.store.servers.get(EMPTY)).toBeUndefined();
  expect(await master.store.services.find({ serverId: EMPTY })).toEqual([]);
  expect(await master.store.secrets.get('sec-0123456789abcde7')).toBeUndefined();
  expect(await master.store.certificates.find({ serverId: EMPTY })).toEqual([
    expect.objectContaining({ id: 'aa', revokedAt: expect.any(Number) }),
  ]);
  expect((await master.store.backupPolicies.get(DEFAULT_POLICY))?.drillServerId).toBeNull();
  await expect(remove('spare')).rejects.toMatchObject({ code: 'not_found' });
  // The same host, anew.
  await master.store.servers.insert(server('srv-0123456789abcde8', 'spare', '192.0.2.31', { state: 'pending' }));
  const request = { server: 'spare', enableTypes: [], options: undefined };
  expect((await acceptServer(master.deps, CALLER, request)).state).toBe('accepted');
});

test('what still uses it is told with what to do, and nothing is changed', async () => {
  await expect(remove('web1')).rejects.toThrow(
    'cannot remove web1: it carries example.org (aegir server evacuate web1 --to OTHER, or aegir site delete NAME); ' +
      'it has platform wordpress (aegir platform remove NAME); where it is gone for good: --abandoned',
  );
  await expect(remove('db1')).rejects.toThrow(/it carries example\.org/);
  await backupAt(STORE);
  await master.store.backupPolicies.insert({ ...POLICY, id: DEFAULT_POLICY, serviceId: STORE });
  await expect(remove('spare')).rejects.toThrow(
    'cannot remove spare: spare/mesh keeps 1 backup (aegir backup list --service spare/mesh); ' +
      'it keeps the backups of all others (aegir backup policy [SITE] --service OTHER); where',
  );
  expect((await master.store.servers.find()).map(({ state }) => state)).toEqual(['accepted', 'accepted', 'accepted']);
  expect(order).toEqual([]);
});

test('a task that is not over keeps it, also one that is gone for good', async () => {
  const request = { server: 'spare', options: undefined, checkOnly: false };
  const { taskId } = await verifyServer(master.deps, CALLER, request);
  const told = `task ${taskId}, server.verify of spare, works with it (aegir task cancel ${taskId})`;
  await expect(remove('spare')).rejects.toThrow(told);
  await expect(remove('spare', { abandoned: true })).rejects.toThrow(told);
});

test('a crash or a dead mesh in the middle leaves it revoked, and a repeat removes it', async () => {
  broken = new Error('cannot tell the mesh');
  await expect(remove('spare')).rejects.toThrow('cannot tell the mesh');
  expect((await master.store.servers.get(EMPTY))?.state).toBe('revoked');
  broken = undefined;
  await remove('spare');
  expect(await master.store.servers.get(EMPTY)).toBeUndefined();
});

test('two revoked ones of a name are told apart by their ids', async () => {
  for (const id of [EMPTY, 'srv-0123456789abcde8']) {
    if (id !== EMPTY) await master.store.servers.insert(server(id, 'spare', '', { state: 'revoked' }));
    else await master.store.servers.update(id, { state: 'revoked' });
  }
  await expect(remove('spare')).rejects.toMatchObject({ code: 'not_found' });
  await remove(EMPTY);
  expect((await master.store.servers.find()).map(({ name }) => name)).toEqual(['web1', 'db1', 'spare']);
});

test('one that is gone for good takes along what it had, after it was told; one that answers is not gone', async () => {
  await backupAt(STORE);
  await master.store.backupPolicies.insert({ ...POLICY, id: ids.site, serviceId: STORE });
  vi.spyOn(master.agents, 'isConnected').mockReturnValue(true);
  await expect(remove('db1', { abandoned: true })).rejects.toThrow(/it answers, so it is not gone for good/);
  vi.spyOn(master.agents, 'isConnected').mockReturnValue(false);
  expect((await remove('spare', { abandoned: true, plan: true })).plan?.warnings).toEqual([
    'backup bak-0123456789abcde7 of example.org is lost',
    'backups of example.org have no place',
    expect.stringMatching(/Nothing is changed on the host/),
  ]);
  await remove('spare', { abandoned: true });
  expect(await master.store.backups.find()).toEqual([]);
  expect((await master.store.backupPolicies.get(ids.site))?.serviceId).toBeNull();

  expect((await remove('db1', { abandoned: true, plan: true })).plan?.warnings).toEqual([
    'site example.org is forgotten; what it has on web1/nginx stays there, and aegir server verify names it',
    expect.stringMatching(/Nothing is changed on the host/),
  ]);
  await remove('db1', { abandoned: true });
  expect(await master.store.sites.find()).toEqual([]);
  expect(await master.store.backupPolicies.get(ids.site)).toBeUndefined();
  expect(await master.store.secrets.get(site.saltSecret)).toBeUndefined();
  await remove('web1', { abandoned: true });
  expect(await master.store.platforms.find()).toEqual([]);
  expect(await master.store.servers.find()).toEqual([]);
});

test('zones and bindings to its dns go with one that is gone for good; clusters must be rid of it first', async () => {
  const [front, dns] = ['svc-0123456789abcde8', 'svc-0123456789abcde9'];
  await master.store.transaction(async (tx) => {
    await tx.services.insert(service(front, EMPTY, 'http', 'cluster', 80, { instance: 'shop', origin: 'declared' }));
    await tx.services.insert(service(dns, EMPTY, 'dns', 'bind', 53));
    await tx.heads.insert({
      id: 'head-0123456789abcde1',
      clusterId: front,
      serviceId: ids.nginx,
      state: 'active',
      weight: 1,
    });
    await tx.zones.insert({
      ...{ id: 'zone-0123456789abcde1', name: 'example.net', serviceId: dns, state: 'active', nameservers: ['ns'] },
      ...{ contact: 'a@example.net', ttl: 60, lowTtl: 60, ttlPolicy: 'normal', leadSeconds: 0, negativeTtl: 60 },
      ...{ dnssec: false, createdAt: 1 },
    });
    const record = { zoneId: 'zone-0123456789abcde1', name: 'example.net', type: 'A', ttl: null, data: '192.0.2.1' };
    await tx.records.insert({ id: 'rec-0123456789abcde1', ...record });
    await tx.sites.update(ids.site, { bindings: { ...site.bindings, dns } });
  });
  await expect(remove('spare')).rejects.toThrow(
    'cannot remove spare: services here are used by example.org (aegir site rebind NAME --dns OTHER); ' +
      'it answers for zone example.net (aegir zone remove NAME); it is the front of cluster shop (aegir cluster delete shop)',
  );
  await expect(remove('web1', { abandoned: true })).rejects.toThrow(
    'cannot remove web1: cluster shop leads visitors to web1/nginx (aegir cluster remove shop web1/nginx --abandoned)',
  );
  await remove('spare', { abandoned: true });
  expect(await master.store.zones.find()).toEqual([]);
  expect(await master.store.heads.find()).toEqual([]);
  expect((await master.store.sites.get(ids.site))?.bindings).toEqual({ http: ids.nginx, db: ids.mariadb });
});

test('a task of before tells its plan without the server', async () => {
  const { taskId } = await verifyServer(master.deps, CALLER, { server: 'spare', options: undefined, checkOnly: true });
  const task = await master.store.tasks.get(taskId);
  expect(task).toBeDefined();
  const [claimed] = await master.store.tasks.claim('me', Date.now(), 60_000, 1);
  await master.store.tasks.update(taskId, claimed?.leaseEpoch ?? 0, { state: 'succeeded', finishedAt: Date.now() });
  await remove('spare');
  const { plan } = await change(
    master.deps,
    CALLER,
    { planOnly: true, idempotencyKey: '' },
    { method: 'server.verify' },
    () => ({
      plan: task?.plan as never,
    }),
  );
  expect(plan?.steps[0]?.server).toBe(EMPTY);
});
