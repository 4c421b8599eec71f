// The first preparing of a front on a systemd host: the drop-in that has HAProxy read our directory, and deaths about it.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createFakeHost, type FakeHost } from '../../../host/fake.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { createClusterEngine } from './engine.ts';
import { GENERATION } from './render.ts';

const SERVICE = ServiceRef.fromPartial({ id: 'svc-0123456789abcdef', instance: 'main' });
const DROP_IN = '/etc/systemd/system/haproxy.service.d/aegir.conf';
let dir: string;
let host: FakeHost;
let server: Server | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-front-'));
  const dropIn = { path: DROP_IN, content: '[Service]\n' };
  const daemons = [{ name: 'haproxy' as const, includeDir: '/etc/haproxy/aegir', socket: join(dir, 'socket'), dropIn }];
  host = createFakeHost({ daemons });
});
afterEach(async () => {
  await new Promise((done) => (server === undefined ? done(undefined) : server.close(done)));
  server = undefined;
  await rm(dir, { recursive: true, force: true });
});

const first = async () => (await createClusterEngine().prepare(SERVICE, contextOf(host)))[0];
const restarts = () => host.acts.filter((act) => act === 'haproxy restart').length;

test('what HAProxy reads stands there before systemd is told of it, and it is started anew', async () => {
  const change = await first();
  await change?.run(contextOf(host));
  expect([...host.tree.keys()]).toContain(DROP_IN);
  expect(host.commands.map(({ argv }) => argv.join(' '))).toEqual(['systemctl daemon-reload']);
  expect(restarts()).toBe(1);
});

test('a death before it was started anew is made good, however often', async () => {
  await (await first())?.run(contextOf(host));
  // The drop-in is there, and nothing of ours answers.
  const again = await first();
  expect(again?.summary).toContain(DROP_IN);
  await again?.run(contextOf(host));
  expect(restarts()).toBe(2);
});

test('one that has loaded something of ours is not started anew', async () => {
  await (await first())?.run(contextOf(host));
  server = createServer((socket) => socket.resume().end(`${GENERATION}=${'0'.repeat(64)}\n`));
  await new Promise<void>((done) => server?.listen(join(dir, 'socket'), done));
  expect((await first())?.summary).not.toContain(DROP_IN);
});
