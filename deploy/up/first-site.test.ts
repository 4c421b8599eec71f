// What `up` makes of its site at the next start: a link that cannot be had is told, and a site that was deleted stays so.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Connection, createConnection } from '../../master/cli/connection.ts';
import type { SiteRecord, TaskState } from '../../master/store/model.ts';
import type { Runner } from '../../master/task/runner.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { startMasterRunner } from '../../test/master-runner.ts';
import { ids } from '../../test/records.ts';
import { NAME, openFirstSite } from './first-site.ts';

let master: MasterApi;
let connection: Connection;
let runner: Runner;
/** Where it is, and goes. */
const HOME = { platformId: ids.platform, http: ids.nginx, db: ids.mariadb };
const steps: string[] = [];
const signal = new AbortController().signal;

beforeAll(async () => {
  master = await openMasterApi();
  connection = createConnection({ address: master.address, ca: master.caPem, token: await master.token() });
  runner = startMasterRunner(master, 'up-test');
});
afterAll(async () => {
  connection.close();
  await runner.stop();
  await master.close();
});
beforeEach(() => {
  steps.length = 0;
});

const open = (again = false) =>
  openFirstSite({ connection }, { dir: master.dir, again }, (text) => steps.push(text), signal);
const record = () => join(master.dir, 'first-site');

async function demo(): Promise<SiteRecord> {
  const [site] = await master.store.sites.find({ name: NAME });
  if (site === undefined) throw new Error('the site is not there');
  return site;
}

test('the first start installs it, the next one logs in', async () => {
  expect(await open()).toMatchObject({ name: NAME, loginLink: 'https://example.org/once', noLink: '' });
  expect(steps.length).toBeGreaterThan(3);
  expect(existsSync(record())).toBe(true);
  // A fleet of before has no record: its site is there.
  rmSync(record());
  expect(await open()).toMatchObject({ loginLink: 'https://example.org/once', noLink: '' });
  expect(existsSync(record())).toBe(true);
});

test.each<readonly [string, Partial<SiteRecord>, RegExp]>([
  [
    'is disabled',
    { state: 'disabled' },
    /^cannot log in to demo\.localhost: it is disabled; .*: aegir site enable demo\.localhost$/,
  ],
  [
    'is on its way',
    { moving: { from: HOME, to: HOME, phase: 'copying' as const } },
    /^cannot log in to demo\.localhost: it is on its way to another place; .* aegir task list/,
  ],
])('a site that %s has no login link, and that is told', async (_, patch, why) => {
  const { id, state, moving } = await demo();
  await master.store.sites.update(id, patch);
  try {
    expect(await open()).toEqual({
      ...{ name: NAME, url: expect.stringMatching(/^http/), loginLink: '', noLink: expect.stringMatching(why) },
    });
  } finally {
    await master.store.sites.update(id, { state, moving });
  }
});

test.each<TaskState>(['stuck', 'waiting'])('a link is not waited for behind a task that is %s', async (state) => {
  const site = await demo();
  const [older] = await master.store.tasks.list({ limit: 1 });
  if (older === undefined) throw new Error('there was a task before');
  const { seq: _, leaseOwner: __, leaseEpoch: ___, leaseExpiresAt: ____, ...task } = older;
  const id = `task-000000000000${state === 'stuck' ? '0001' : '0002'}`;
  await master.store.tasks.insert({
    ...{ ...task, id, state, finishedAt: null, idempotencyKey: null, steps: [], verb: 'site.verify' },
    ...{ locks: [`site/${site.id}`], resumeAt: Date.now() + 3_600_000 },
  });
  expect(await open()).toMatchObject({
    ...{ loginLink: '', noLink: expect.stringContaining(`task ${id} (site.verify) is ${state}; see: aegir task show`) },
  });
  await expect.poll(async () => (await master.store.tasks.list({ limit: 1 }))[0]?.state).toBe('cancelled');
  await master.store.tasks.update(id, 0, { state: 'failed', finishedAt: Date.now() });
});

test('a task for a link that fails is told as well', async () => {
  master.agents.before = (order) => {
    if (order.request.$case === 'loginLink') throw new Error('cannot make a link: broken');
  };
  try {
    expect(await open()).toMatchObject({ loginLink: '', noLink: expect.stringMatching(/failed: cannot .*/) });
  } finally {
    master.agents.before = () => {};
  }
});

test('a site that was deleted is not installed again, unless that is asked for', async () => {
  await master.store.sites.delete((await demo()).id);
  const before = await master.store.tasks.list({ limit: 1 });
  expect(await open()).toBeUndefined();
  expect(await master.store.tasks.list({ limit: 1 })).toEqual(before);
  expect(await open(true)).toMatchObject({ name: NAME, loginLink: 'https://example.org/once' });
});

test('an installation that fails is a failure, and is tried again at the next start', async () => {
  await master.store.sites.delete((await demo()).id);
  rmSync(record());
  master.agents.before = (order) => {
    if (order.request.$case === 'installSite') throw new Error('cannot install it: broken');
  };
  try {
    await expect(open()).rejects.toThrow(/Install demo\.localhost.*failed: cannot/);
  } finally {
    master.agents.before = () => {};
  }
  expect(existsSync(record())).toBe(false);
  expect(await open()).toMatchObject({ loginLink: 'https://example.org/once' });
});
