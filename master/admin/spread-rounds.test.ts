// Files that travel by themselves: a task for each site that changed and no other, once for one change, few at once, and
// none that could only wait.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, platform, server, service, site } from '../../test/records.ts';
import type { ActionRequest, Agents } from '../session/agents.ts';
import type { HeadRecord, ServiceRecord, SiteRecord, TaskState } from '../store/model.ts';
import type { AdminDeps } from './deps.ts';
import { type SpreadRounds, startSpreadRounds } from './spread-rounds.ts';

const WINDOW_MS = 15_000;
const AGAIN_MS = 300_000;
const HEADS = ['svc-0123456789abcdh1', 'svc-0123456789abcdh2', 'svc-0123456789abcdh3'] as const;
const [WRITER, READER, THIRD] = HEADS;
const SERVERS = ['srv-0123456789abcdh1', 'srv-0123456789abcdh2', 'srv-0123456789abcdh3'] as const;
const SHARED = 'svc-0123456789abcds1';
const front = (id: string, settings: ServiceRecord['settings']) =>
  service(id, ids.web1, 'http', 'cluster', 80, { instance: id, settings });
const FRONT = 'svc-0123456789abcdf1';
const PLATFORMS = {
  wordpress: 'plat-0123456789abcdf1',
  static: 'plat-0123456789abcdf2',
  shared: 'plat-0123456789abcdf3',
};

let master: MasterApi;
let deps: AdminDeps;
let rounds: SpreadRounds;
/** In steps of a window, so that each look is one of its own. */
let clock = Math.ceil(Date.now() / WINDOW_MS) * WINDOW_MS;
let away = new Set<string>();
/** What a look at the files of a site says on a server: anything that stands for its digest, or why there is none. */
let looks = new Map<string, string | Error>();
let looked: { readonly serverId: string; readonly siteId: string; readonly trees: readonly string[] }[] = [];
let meshState = 'running';
let made = 0;
const warned: string[] = [];

const hex = (what: string) => Buffer.from(what.padEnd(32, '.')).toString('hex');
const ask: Agents['ask'] = async (serverId: string, request: ActionRequest) => {
  if (request.$case !== 'lookFiles') throw new Error(`nobody asks for ${request.$case}`);
  const { siteId, trees } = request.value;
  looked.push({ serverId, siteId, trees });
  const said = looks.get(siteId) ?? 'as ever';
  if (said instanceof Error) throw said;
  const answer = await master.agents.ask(serverId, request, 1000);
  if (answer.outcome?.$case === 'ok') {
    answer.outcome.value.files = { digest: Buffer.from(hex(said), 'hex'), entries: 1n };
  }
  return answer;
};
const begin = () => startSpreadRounds(deps, { error() {}, warn: (_, text) => void warned.push(text) });

beforeAll(async () => {
  master = await openMasterApi();
  const { facts, agents } = master.deps;
  deps = {
    ...master.deps,
    now: () => clock,
    facts: { ...facts, meshState: () => meshState },
    agents: { ...agents, ask, isConnected: (id) => !away.has(id) },
  };
  const { servers, services, platforms } = master.store;
  for (const [n, id] of SERVERS.entries()) await servers.insert(server(id, `head${n + 1}`, `192.0.2.${31 + n}`));
  for (const [n, id] of HEADS.entries()) await services.insert(service(id, SERVERS[n] ?? '', 'http', 'nginx', 80));
  await services.insert(front(FRONT, {}));
  await services.insert(front(SHARED, { share: 'common' }));
  for (const [app, id] of Object.entries(PLATFORMS)) {
    const own = app === 'shared' ? { app: 'wordpress' as const, serviceId: SHARED } : { serviceId: FRONT };
    await platforms.insert({
      ...platform,
      id,
      name: `${app} of the pool`,
      app: app === 'static' ? 'static' : 'wordpress',
      ...own,
    });
  }
});
beforeEach(async () => {
  const { sites, heads, tasks } = master.store;
  for (const each of await sites.find()) if (each.id !== site.id) await sites.delete(each.id);
  for (const { id } of await heads.find()) await heads.delete(id);
  for (const state of ['queued', 'running', 'waiting', 'undoing', 'stuck'] as const) {
    for (const { id } of await tasks.list({ state, limit: 100 })) await endTask(id);
  }
  await setHeads(['active', 'active', 'active']);
  [away, looks, looked, meshState, made] = [new Set(), new Map(), [], 'running', 0];
  warned.length = 0;
  clock += 2 * AGAIN_MS;
  rounds = begin();
  return () => rounds.close();
});
afterAll(() => master.close());

async function setHeads(states: readonly HeadRecord['state'][]): Promise<void> {
  const { heads } = master.store;
  for (const { id } of await heads.find()) await heads.delete(id);
  for (const clusterId of [FRONT, SHARED]) {
    for (const [n, state] of states.entries()) {
      const id = `head-0123456789abc${clusterId.slice(-2)}${n}`;
      await heads.insert({ id, clusterId, serviceId: HEADS[n] ?? '', state, weight: 1 });
    }
  }
}

/** kept: copies by head with what they are of. */
async function addSite(copies: Readonly<Record<string, string>> = {}, patch: Partial<SiteRecord> = {}) {
  made += 1;
  const id = `site-0123456789abcd${String(made).padStart(2, '0')}`;
  await master.store.secrets.insert({ id: `sec-${id.slice(5)}`, sealed: 'x' }).catch(() => {});
  const spread = {
    ...{ writer: WRITER, kept: [] },
    copies: Object.entries(copies).map(([head, what]) => ({ head, digest: hex(what), at: 1 })),
  };
  const record: SiteRecord = {
    ...{ ...site, id, name: `s${made}.example.org`, aliases: [], saltSecret: `sec-${id.slice(5)}`, spread },
    ...{ dbPasswordSecret: null, platformId: PLATFORMS.wordpress, bindings: { http: FRONT, db: ids.mariadb } },
    ...patch,
  };
  await master.store.sites.insert(record);
  return record;
}
const open = () => master.store.tasks.list({ state: 'queued', limit: 100 });
async function endTask(id: string, state: TaskState = 'succeeded'): Promise<void> {
  const epoch = (await master.store.tasks.get(id))?.leaseEpoch ?? 0;
  await master.store.tasks.update(id, epoch, { state, finishedAt: clock });
}
async function endAll(state: TaskState = 'succeeded'): Promise<void> {
  for (const { id } of await open()) await endTask(id, state);
}
const later = (ms = WINDOW_MS) => {
  clock += ms;
  return rounds.look();
};

test('a site that changed gets a task, which brings its files to its other heads; one that did not gets none', async () => {
  const changed = await addSite({ [READER]: 'before', [THIRD]: 'before' });
  const same = await addSite({ [READER]: 'before', [THIRD]: 'before' });
  looks.set(changed.id, 'now').set(same.id, 'before');
  expect(await rounds.look()).toEqual([changed.name]);
  const [task, ...more] = await open();
  expect([task, more]).toMatchObject([
    { verb: 'cluster.sync', actor: 'schedule', plan: { locks: [`site/${changed.id}`] } },
    [],
  ]);
  expect(JSON.stringify(task?.plan)).toContain(`"to":["${READER}","${THIRD}"]`);
  // Only the head that takes writes was asked, for all that visitors may leave.
  expect(looked).toEqual(
    [changed, same].map(({ id }) => ({ serverId: SERVERS[0], siteId: id, trees: ['files', 'private'] })),
  );
});

describe('one change', () => {
  test('is begun once while its task is there', async () => {
    const { id, name } = await addSite();
    expect(await rounds.look()).toEqual([name]);
    looks.set(id, 'changed again');
    expect(await later()).toEqual([]);
    expect(await later(AGAIN_MS)).toEqual([]);
    expect(await open()).toHaveLength(1);
  });

  test('whose task failed is tried again after five minutes, another change at once', async () => {
    const { id, name } = await addSite();
    await rounds.look();
    await endAll('failed');
    expect(await later()).toEqual([]);
    expect(await later(AGAIN_MS - 2 * WINDOW_MS)).toEqual([]);
    expect(await later()).toEqual([name]);
    await endAll('failed');
    expect(await later()).toEqual([]);
    looks.set(id, 'another');
    expect(await later()).toEqual([name]);
  });

  test('that several masters see makes one task, and one that only the second sees another', async () => {
    const { id, name } = await addSite();
    const second = begin();
    expect([await rounds.look(), await second.look()]).toEqual([[name], []]);
    await endAll();
    // The first one's task has ended within the same seconds, and not brought what came since.
    expect(await second.look()).toEqual([name]);
    expect(await open()).toEqual([]);
    looks.set(id, 'since then');
    expect(await second.look()).toEqual([name]);
    expect(await open()).toHaveLength(1);
    await second.close();
  });
});

describe('nothing is begun', () => {
  const UP_TO_DATE = { [READER]: 'as ever', [THIRD]: 'as ever' };
  test.each<readonly [string, () => Promise<unknown>]>([
    ['without a mesh to travel by', async () => addSite().then(() => (meshState = 'off'))],
    [
      'for heads that see the same files',
      () => addSite({}, { platformId: PLATFORMS.shared, bindings: { http: SHARED } }),
    ],
    ['for an app that leaves no files', () => addSite({}, { platformId: PLATFORMS.static })],
    ['for a site of one web server', () => addSite({}, { platformId: ids.platform, bindings: { http: ids.nginx } })],
    ['while the head that takes writes is away', async () => addSite().then(() => away.add(SERVERS[0]))],
    ['while all others are away', async () => addSite().then(() => away.add(SERVERS[1]).add(SERVERS[2]))],
    ['for a site that is being installed', () => addSite({}, { state: 'installing' })],
    ['for a site that is being deleted', () => addSite({}, { state: 'deleting' })],
    [
      'where one that is away lacks a change alone',
      async () => {
        await addSite({ [READER]: 'as ever' });
        away.add(SERVERS[2]);
      },
    ],
    [
      'for a head that keeps what it alone has',
      () =>
        addSite(
          { [READER]: 'as ever' },
          { spread: { writer: WRITER, kept: [THIRD], copies: [{ head: READER, digest: hex('as ever'), at: 1 }] } },
        ),
    ],
    [
      'for a head that comes or goes',
      async () => {
        await addSite({ [READER]: 'as ever' });
        await setHeads(['active', 'active', 'joining']);
      },
    ],
    ['where all have all', () => addSite(UP_TO_DATE)],
  ])('%s', async (_, ground) => {
    await ground();
    expect(await rounds.look()).toEqual([]);
    expect(await open()).toEqual([]);
    expect(warned).toEqual([]);
  });

  test.each<readonly [string, () => Promise<unknown>]>([
    ['a disabled site', () => addSite({}, { state: 'disabled' })],
    [
      'a head that was drained',
      async () => {
        await addSite({ [READER]: 'as ever' });
        await setHeads(['active', 'active', 'out']);
      },
    ],
    [
      'one head while another one is away',
      async () => {
        await addSite({ [THIRD]: 'as ever' });
        away.add(SERVERS[2]);
      },
    ],
  ])('but for %s it is', async (_, ground) => {
    await ground();
    expect(await rounds.look()).toEqual(['s1.example.org']);
  });
});

test('a look that fails is told, and keeps no other site from its task', async () => {
  const broken = await addSite();
  const fine = await addSite();
  looks.set(broken.id, new Error('no such file'));
  expect(await rounds.look()).toEqual([fine.name]);
  expect(warned).toEqual([`cannot look whether files of ${broken.name} changed`]);
});

test('few are begun at once, the others in the turns after it', async () => {
  for (let n = 0; n < 20; n++) await addSite();
  const begun: string[][] = [];
  for (let turn = 0; turn < 3; turn++) {
    begun.push([...(await later())]);
    // Those were brought: from here on they are as their writer has them.
    for (const each of await master.store.sites.find()) {
      if (!begun.flat().includes(each.name) || each.spread === null) continue;
      const copies = [READER, THIRD].map((head) => ({ head, digest: hex('as ever'), at: clock }));
      await master.store.sites.update(each.id, { spread: { ...each.spread, copies } });
    }
    await endAll();
  }
  expect(begun.map(({ length }) => length)).toEqual([8, 8, 4]);
  expect(new Set(begun.flat()).size).toBe(20);
});
