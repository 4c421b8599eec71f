// What is done at once, without a task, can be seen before, too: a plan is printed, as text or JSON, and nothing is changed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, server, service, site } from '../../test/records.ts';
import { newBackup } from '../admin/backup-new.ts';
import { loadGraph } from '../admin/load.ts';
import { policyOf } from '../graph/backup-policy.ts';
import { createProgram, runProgram } from './program.ts';
import { createCli } from './session.ts';

const SPARE = 'srv-0123456789abcde7';
let master: MasterApi;

beforeAll(async () => {
  master = await openMasterApi();
  vi.spyOn(master.agents, 'isConnected').mockReturnValue(false);
  await master.store.servers.insert(server(SPARE, 'spare', '192.0.2.31', { state: 'pending' }));
  await master.store.services.insert(service('svc-0123456789abcde7', SPARE, 'file', 'mesh', 0, { state: 'detected' }));
  await master.store.services.insert(
    service('svc-0123456789abcde8', SPARE, 'file', 'mount', 0, { instance: 'nas', origin: 'declared' }),
  );
  await master.store.clients.insert({ id: 'cli-0123456789abcde1', name: 'Acme', mail: '' });
  await master.store.platforms.insert({
    ...{ id: 'plat-0123456789abcde8', name: 'old', app: 'wordpress', serviceId: ids.nginx, root: '/srv/old' },
    ...{ state: 'verified', facts: null },
  });
  const store = service('svc-0123456789abcde9', ids.web1, 'file', 'mesh', 0, { settings: { root: '/srv/kept' } });
  await master.store.services.insert(store);
  const made = { id: 'bak-0123456789abcde9', store, reason: 'person' as const, taskId: '', takenAt: 1 };
  const backup = newBackup(await loadGraph(master.store), site, made);
  await master.store.backups.insert({ ...backup, state: 'ready' });
  await master.store.backupPolicies.insert({
    ...policyOf([], site.id),
    ...{ id: site.id, serviceId: store.id },
  });
  writeFileSync(join(master.dir, 'ca.pem'), master.caPem);
});
afterAll(() => master.close());

async function aegir(...args: string[]) {
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end();
  const read = async (stream: PassThrough) => {
    let text = '';
    for await (const part of stream) text += String(part);
    return text;
  };
  const [out, err] = [read(stdout), read(stderr)];
  const env = {
    ...{ HOME: master.dir, AEGIR_ADDRESS: master.address, AEGIR_CA: join(master.dir, 'ca.pem') },
    AEGIR_TOKEN: await master.token(),
  };
  const cli = createCli(env, stdin as never, stdout as never, stderr as never);
  const code = await runProgram(createProgram(cli, '0'), args, stderr as never);
  stdout.end();
  stderr.end();
  return { code, out: await out, err: await err };
}

/** All but the audit log, which tells that it was planned, and the token of the call. */
const state = async () => {
  const { servers, services, clients, platforms } = master.store;
  const all = [await servers.find(), await services.find(), await clients.find(), await platforms.find()];
  return JSON.stringify(all, (_, value) => (typeof value === 'bigint' ? String(value) : value));
};

test.each([
  [
    'server accept spare --enable file',
    /^Plan: Accept spare\n {3}1\. Let spare take part.*\n.*aegir server remove spare\n {3}2\. Enable spare\/mesh/,
  ],
  [
    'server revoke db1',
    /^Plan: Revoke db1\n[\s\S]*Warning: Its sites stay, and can't be managed any more: example\.org\.\n/,
  ],
  [
    'server revoke web1',
    /Its platforms stay.*: wordpress, old\.\n[\s\S]*web1\/mesh keeps 1 backup of example\.org, which can't be read.*\n.*The backups of example\.org go to web1\/mesh: none is made/,
  ],
  ['server revoke spare', /^(?![\s\S]*Warning)/],
  [
    'service disable web1/mesh',
    /^Plan: Disable web1\/mesh\n[\s\S]*web1\/mesh keeps 1 backup of example\.org, which stay there\.\n.*The backups of example\.org go to web1\/mesh/,
  ],
  ['server remove spare', /^Plan: Remove spare\n[\s\S]*2\. Forget spare with its services/],
  [
    'service disable spare/mount:nas',
    /^Plan: Disable spare\/mount:nas\n[\s\S]*undo: aegir service enable spare\/mount:nas/,
  ],
  ['service remove spare/mount:nas', /^Plan: Remove spare\/mount:nas\n/],
  ['client remove Acme', /^Plan: Remove client Acme\n/],
  [
    'platform remove old',
    /^Plan: Remove platform old\n[\s\S]*undo: aegir platform add old \/srv\/old --service web1\/nginx/,
  ],
])('%s --plan', async (line, text) => {
  const before = await state();
  const shown = await aegir(...line.split(' '), '--plan');
  expect(shown).toMatchObject({ code: 0, out: expect.stringMatching(text), err: '' });
  const plan = JSON.parse((await aegir(...line.split(' '), '--plan', '-o', 'json')).out) as { verb: string };
  expect(plan.verb).toBe(line.split(' ').slice(0, 2).join('.'));
  expect(await state()).toBe(before);
});

test('what would be refused is refused to a plan, too', async () => {
  const { code, err } = await aegir('server', 'remove', 'db1', '--plan');
  expect([code, err]).toEqual([1, expect.stringMatching(/cannot remove db1: it carries example\.org/)]);
  expect((await aegir('service', 'disable', 'db1/mariadb', '--plan')).code).toBe(1);
});

test('where a place for backups is is told, and what stays there when it is forgotten', async () => {
  const { out } = await aegir('service', 'show', 'web1/mesh');
  expect(out).toMatch(/^Root: +\/srv\/kept$/m);
  expect(out).not.toContain('Configuration');
  const removed = await aegir('service', 'remove', 'spare/mount:nas', '--yes');
  expect(removed).toMatchObject({ code: 0, out: expect.stringMatching(/^spare\/mount:nas is forgotten; .*aegir-key/) });
});

test('of a platform that is removed is said that it is', async () => {
  const { code, out, err } = await aegir('platform', 'remove', 'old', '--yes');
  expect([code, out, err]).toEqual([0, 'platform old is removed; its files stay\n', '']);
  expect((await master.store.platforms.find()).map(({ name }) => name)).toEqual(['wordpress']);
});

test('a server is removed after it was asked, and nobody can be asked here', async () => {
  expect(await aegir('server', 'remove', 'spare')).toMatchObject({ code: 2, err: expect.stringMatching(/--yes/) });
  expect((await master.store.servers.get(SPARE))?.state).toBe('pending');
  const { code, out } = await aegir('server', 'remove', 'spare', '--yes', '-o', 'json');
  expect([code, (JSON.parse(out) as { name: string }).name]).toEqual([0, 'spare']);
  expect(await master.store.servers.get(SPARE)).toBeUndefined();
  expect((await aegir('server', 'remove', 'spare', '--yes')).code).toBe(1);
});
