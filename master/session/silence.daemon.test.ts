// Connections that say nothing, on each of the master's listeners: they end soon, are bounded in all and from one
// address, and hold nobody off who speaks.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { createApiListener } from '../api/listener.ts';
import type { ConnectionLimits } from '../listen/connections.ts';
import type { Listener } from '../listen/grpc-listener.ts';
import { createEnrolService } from './enrol.ts';
import { createAgentListener, createEnrolListener } from './listeners.ts';
import { CHANNEL, dial, trust } from './testing/hand-agent.ts';
import { createRig, type Rig } from './testing/rig.ts';

let rig: Rig;
let master: MasterApi;
let token: string;
const listeners: Listener[] = [];
const sockets: { destroy(): void }[] = [];

beforeAll(async () => {
  rig = await createRig();
  master = await openMasterApi();
  token = await master.token();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
});
afterAll(async () => {
  await rig.close();
  await master.close();
});

type Kind = 'api' | 'agent' | 'enrol';
const KINDS: readonly Kind[] = ['api', 'agent', 'enrol'];

async function listen(kind: Kind, connections: Partial<ConnectionLimits>): Promise<Listener> {
  const common = { address: '127.0.0.1:0', serving: rig.serving, connections };
  const { store, authority, now } = rig;
  const log = { info() {}, warn() {}, error() {} };
  const facts = { store, authority, now, log, masters: () => [], enrolAddresses: () => [] };
  const listener =
    kind === 'api'
      ? await createApiListener(master.deps, { ...common, definitions: master.definitions, log })
      : kind === 'agent'
        ? await createAgentListener({ ...common, caPem: authority.caPem, service: rig.sessions.service })
        : await createEnrolListener({ ...common, service: createEnrolService(facts) });
  listeners.push(listener);
  return listener;
}

/** Resolves when the other side ended it. */
function watch(socket: Socket): Promise<void> {
  sockets.push(socket);
  socket.resume();
  socket.on('error', () => {});
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

interface Silent {
  on(event: 'close' | 'error', listener: () => void): unknown;
  destroy(): void;
}

const WAYS: Readonly<Record<string, (port: number) => Silent>> = {
  'TCP alone': (port) => connect({ port, host: '127.0.0.1' }).resume(),
  'half a greeting': (port) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])));
    return socket.resume();
  },
  'TLS alone': (port) =>
    connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] }).resume(),
  'HTTP/2 without a call': (port) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    // Preface and empty settings (RFC 9113, 3.4).
    const greeting = Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ]);
    socket.on('secureConnect', () => socket.write(greeting));
    return socket.resume();
  },
};

describe.each(KINDS)('%s', (kind) => {
  test.each(Object.keys(WAYS))('%s ends soon', async (way) => {
    const { port } = await listen(kind, { patienceMs: 300 });
    const since = Date.now();
    const closed = Promise.withResolvers<void>();
    const socket = WAYS[way]?.(port);
    if (socket === undefined) throw new Error('there is no such way');
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('close', () => closed.resolve());
    await closed.promise;
    expect(Date.now() - since).toBeLessThan(5000);
  });

  test('so many of one address, and so many in all: the one that was silent longest makes way', async () => {
    for (const limits of [{ mostOfAddress: 3 }, { most: 3 }]) {
      const { port } = await listen(kind, limits);
      const ended: number[] = [];
      for (let i = 0; i < 5; i++) {
        const socket = connect({ port, host: '127.0.0.1' });
        void watch(socket).then(() => ended.push(i));
        await new Promise((resolve) => socket.once('connect', resolve));
        await vi.waitFor(() => expect(ended).toHaveLength(Math.max(0, i - 2)), 5000);
      }
      expect(ended).toEqual([0, 1]);
    }
  });
});

function callStatus(port: number, value: string): Promise<number> & { readonly client: Client } {
  const client = new Client(`127.0.0.1:${port}`, trust(rig), CHANNEL);
  sockets.push({ destroy: () => client.close() });
  return Object.assign(ask(client, value), { client });
}

function ask(client: Client, value: string): Promise<number> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${value}`);
  const same = (bytes: Buffer) => bytes;
  const path = '/aegir.v1.GraphService/GetStatus';
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve(error?.code ?? 0);
    client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, { deadline: Date.now() + 5000 }, done);
  });
}

test('whoever has a token is answered while silence fills every place, and is not cut for being silent', async () => {
  const { port } = await listen('api', { most: 4, patienceMs: 500 });
  const first = callStatus(port, token);
  expect(await first).toBe(status.OK);
  const ended: Promise<void>[] = [];
  for (let i = 0; i < 20; i++) ended.push(watch(connect({ port, host: '127.0.0.1' })));
  expect(await callStatus(port, token)).toBe(status.OK);
  await Promise.all(ended);
  // Of the two that know the token none was cut: still the same connection.
  expect(first.client.getChannel().getConnectivityState(false)).toBe(2);
  expect(await ask(first.client, token)).toBe(status.OK);
});

test('a token that is none buys no time', async () => {
  const { port } = await listen('api', { patienceMs: 300 });
  const refused = callStatus(port, `aegir-api-${'A'.repeat(43)}`);
  expect(await refused).toBe(status.UNAUTHENTICATED);
  await vi.waitFor(() => expect(refused.client.getChannel().getConnectivityState(false)).not.toBe(2), 5000);
});

test('an agent in its session is not cut, however full it is, and a flood from its address ends nothing of it', async () => {
  const { port } = await listen('agent', { most: 3, mostOfAddress: 3, patienceMs: 300 });
  const identity = await rig.server();
  const agent = dial({ ...rig, agents: { ...rig.agents, port } } as Rig, identity);
  await agent.hello();
  const ended: Promise<void>[] = [];
  for (let i = 0; i < 20; i++) ended.push(watch(connect({ port, host: '127.0.0.1' })));
  await Promise.all(ended);
  expect(rig.sessions.isConnected(identity.serverId)).toBe(true);
  const second = dial({ ...rig, agents: { ...rig.agents, port } } as Rig, await rig.server());
  await second.hello();
  agent.close();
  second.close();
});
