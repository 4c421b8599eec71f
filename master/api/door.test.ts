// The door of the Admin API over a raw HTTP/2 connection: whoever has no token is sent away by the headers, with nothing
// read of what follows; whoever has one must say what it wants.
import { type ClientHttp2Session, connect } from 'node:http2';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { createDoor } from './door.ts';

let master: MasterApi;
let link: ClientHttp2Session;
let token: string;

beforeAll(async () => {
  master = await openMasterApi();
  token = await master.token();
  link = connect(`https://${master.address}`, { ca: master.caPem, checkServerIdentity: () => undefined });
  link.on('error', () => undefined); // closed at the end with calls that nobody waits for
});
afterAll(async () => {
  link.close();
  await master.close();
});

const PATH = '/aegir.v1.SiteService/InstallSite';

/** The head of a message of 3 MB, and nothing of it. */
function halfSent(headers: Record<string, string>, path = PATH, by = link) {
  return send(Buffer.from([0, 0, 0x2d, 0xc6, 0xc0]), headers, path, by);
}

/** A whole request, of an empty message. */
function ask(by: ClientHttp2Session, path: string) {
  const sent = send(Buffer.alloc(5), {}, path, by);
  sent.stream.end();
  return sent;
}

function send(bytes: Buffer, headers: Record<string, string>, path: string, by: ClientHttp2Session) {
  const stream = by.request({
    ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  stream.write(bytes);
  const answered = new Promise<string>((resolve) => stream.once('data', () => resolve('answered')));
  const { promise, resolve } = Promise.withResolvers<string>();
  stream.on('response', (answer) => {
    if (answer['grpc-status'] !== undefined) resolve(String(answer['grpc-status']));
  });
  stream.on('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
  stream.on('error', (cause) => resolve(cause.message));
  stream.resume();
  return { stream, answered, ended: promise };
}

async function withLink(localAddress: string, use: (by: ClientHttp2Session) => Promise<void>): Promise<void> {
  const by = connect(`https://${master.address}`, {
    ...{ ca: master.caPem, checkServerIdentity: () => undefined, localAddress },
  });
  by.on('error', () => undefined); // closed at the end with calls that nobody waits for
  try {
    await use(by);
  } finally {
    by.destroy();
  }
}

test.each([
  ['no token', {}],
  ['a wrong one', { authorization: 'Bearer nonsense' }],
  ['one without its word', { authorization: 'nonsense' }],
])('%s: sent away before the message is there', async (_what, headers) => {
  const { stream, ended } = halfSent(headers);
  expect(await ended).toBe('16');
  stream.destroy();
});

test('strangers may ask for health, a few at a time', async () => {
  const path = '/grpc.health.v1.Health/Check';
  const open = Array.from({ length: 10 }, () => halfSent({}, path));
  const { ended } = halfSent({}, path);
  expect(await ended).toBe('8');
  // Of this address: who comes from another one is answered.
  await withLink('127.0.0.2', async (other) => expect(await ask(other, path).ended).toBe('0'));
  for (const { stream } of open) stream.close();
  await Promise.all(open.map(({ stream }) => new Promise((resolve) => stream.on('close', resolve))));
});

test('strangers who watch hold off nobody who asks', async () => {
  const path = '/grpc.health.v1.Health/Watch';
  await withLink('127.0.0.3', async (evil) => {
    const watches = Array.from({ length: 20 }, () => ask(evil, path));
    const ends = await Promise.all(watches.slice(4).map(({ ended }) => ended));
    expect(ends).toEqual(Array(16).fill('8'));
    await Promise.all(watches.slice(0, 4).map(({ answered }) => answered));
    // With all the places of its address taken, for streams: it may ask still, and others may watch.
    expect(await ask(evil, '/grpc.health.v1.Health/Check').ended).toBe('0');
    expect(await ask(link, '/grpc.health.v1.Health/Check').ended).toBe('0');
    const mine = ask(link, path);
    await mine.answered;
    mine.stream.close();
    // Places that are given back are free.
    watches[0]?.stream.close();
    await vi.waitFor(async () => {
      const again = ask(evil, path);
      const first = await Promise.race([again.answered, again.ended]);
      again.stream.close();
      expect(first).toBe('answered');
    });
  });
});

test("a stranger's streams end by themselves, and give their places back", async () => {
  const limits = { most: 2, mostOfAddress: 2 };
  const server = new Server({
    interceptors: [
      createDoor({
        ...{ authorise: async () => {}, denied: () => {}, open: ['/grpc.health.'], requestMs: 30_000 },
        strangers: { calls: limits, callMs: 300, streams: limits, streamMs: 300 },
      }),
    ],
  });
  const health = new HealthImplementation({ '': 'SERVING' });
  health.addToServer(server);
  const bound = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, port) => bound.resolve(port));
  const plain = connect(`http://127.0.0.1:${await bound.promise}`);
  plain.on('error', () => undefined); // the server is shut down below
  try {
    for (let round = 0; round < 3; round += 1) {
      const watches = [ask(plain, '/grpc.health.v1.Health/Watch'), ask(plain, '/grpc.health.v1.Health/Watch')];
      await Promise.all(watches.map(({ answered }) => answered));
      expect(await ask(plain, '/grpc.health.v1.Health/Watch').ended).toBe('8');
      expect(await Promise.all(watches.map(({ ended }) => ended))).toEqual(['4', '4']);
      // A call that never says what it asks does not stay either.
      expect(await halfSent({}, '/grpc.health.v1.Health/Check', plain).ended).toBe('4');
    }
    // Told to nobody who is gone.
    expect(() => health.setStatus('', 'NOT_SERVING')).not.toThrow();
    expect(await ask(plain, '/grpc.health.v1.Health/Check').ended).toBe('0');
  } finally {
    plain.close();
    server.forceShutdown();
  }
});

test('who has a token is read', async () => {
  const { stream, ended } = halfSent({ authorization: `Bearer ${token}` });
  const first = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
  expect(first).toBe('waits');
  stream.destroy();
});
