// Uploads: taken only where one is waited for, from that server alone, whole or not at all, as fast as they are read.
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { clientOf } from './testing/hand-agent.ts';
import { createRig, type Identity, type Rig } from './testing/rig.ts';
import type { ExpectedUpload } from './uploads.ts';

let rig: Rig;
let one: Identity;
let two: Identity;
beforeAll(async () => {
  rig = await createRig();
  [one, two] = [await rig.server(), await rig.server()];
});
afterAll(() => rig.close());

const PIECE = Buffer.alloc(256 * 1024, 'x');

function begin(identity: Identity) {
  const client = clientOf(rig, identity);
  const answer = Promise.withResolvers<number>();
  const call = client.upload((error) => answer.resolve(error === null ? status.OK : error.code));
  call.on('error', () => {});
  void answer.promise.then(() => client.close());
  return {
    call,
    code: answer.promise,
    piece: (bytes: Buffer, uploadId = '', last = false) => call.write({ uploadId, bytes, last }),
  };
}

async function gathered(upload: ExpectedUpload): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of upload.pieces()) all.push(piece);
  return Buffer.concat(all);
}

test('what one server was told to send comes through, and its name is of no use any more', async () => {
  const upload = rig.sessions.expectUpload(one.serverId);
  const got = gathered(upload);
  const agent = begin(one);
  agent.piece(Buffer.from('first '), upload.id);
  agent.piece(Buffer.from('second'));
  agent.piece(Buffer.alloc(0), '', true);
  agent.call.end();
  expect((await got).toString()).toBe('first second');
  expect(await agent.code).toBe(status.OK);
  const again = begin(one);
  again.piece(Buffer.from('x'), upload.id);
  expect(await again.code).toBe(status.PERMISSION_DENIED);
});

test('another server, a second call, and a name that nobody gave are refused alike', async () => {
  const upload = rig.sessions.expectUpload(one.serverId);
  const got = gathered(upload);
  const strange = begin(two);
  strange.piece(Buffer.from('stolen'), upload.id);
  expect(await strange.code).toBe(status.PERMISSION_DENIED);
  for (const name of ['', '0'.repeat(32), `${upload.id} `]) {
    const unknown = begin(one);
    unknown.piece(Buffer.from('x'), name);
    expect(await unknown.code).toBe(status.PERMISSION_DENIED);
  }
  const right = begin(one);
  right.piece(Buffer.from('right'), upload.id);
  const second = begin(one);
  second.piece(Buffer.from('second'), upload.id);
  expect(await second.code).toBe(status.PERMISSION_DENIED);
  right.piece(Buffer.alloc(0), '', true);
  expect((await got).toString()).toBe('right');
});

test('one that is cut, or malformed, is no upload', async () => {
  const cases: [(agent: ReturnType<typeof begin>) => void, string][] = [
    [(agent) => agent.call.end(), 'unavailable'],
    [(agent) => agent.call.cancel(), 'unavailable'],
    [(agent) => agent.piece(Buffer.alloc(256 * 1024 + 1)), 'invalid_argument'],
    [(agent) => agent.piece(Buffer.from('x'), '0'.repeat(32)), 'invalid_argument'],
  ];
  for (const [act, code] of cases) {
    const upload = rig.sessions.expectUpload(one.serverId);
    const reader = upload.pieces()[Symbol.asyncIterator]();
    const agent = begin(one);
    agent.piece(Buffer.from('begun'), upload.id);
    await reader.next();
    act(agent);
    await expect(reader.next()).rejects.toMatchObject({ code });
    expect(await agent.code).not.toBe(status.OK);
  }
});

test('whoever leaves, the order that fails, and a server that is revoked end it', async () => {
  const left = rig.sessions.expectUpload(one.serverId);
  const agent = begin(one);
  agent.piece(PIECE, left.id);
  for await (const _ of left.pieces()) break;
  expect(await agent.code).toBe(status.CANCELLED);

  const failed = rig.sessions.expectUpload(one.serverId);
  const got = gathered(failed);
  failed.end(new AegirError('data_loss', 'cannot read it'));
  await expect(got).rejects.toMatchObject({ code: 'data_loss' });

  const gone = await rig.server();
  const cut = rig.sessions.expectUpload(gone.serverId);
  const reader = cut.pieces()[Symbol.asyncIterator]();
  const cutAgent = begin(gone);
  cutAgent.piece(PIECE, cut.id);
  await reader.next();
  rig.sessions.disconnect(gone.serverId, 'revoked');
  await expect(reader.next()).rejects.toMatchObject({ code: 'failed_precondition' });
  expect(await cutAgent.code).toBe(status.FAILED_PRECONDITION);
});

test('who reads nothing is sent little: the rest waits at the agent', async () => {
  const upload = rig.sessions.expectUpload(one.serverId);
  const agent = begin(one);
  let written = 0;
  let full = false;
  const reader = upload.pieces()[Symbol.asyncIterator]();
  agent.piece(PIECE, upload.id);
  await reader.next();
  for (; written < 400 && !full; written += 1) {
    if (agent.piece(PIECE)) continue;
    full = await Promise.race([
      once(agent.call, 'drain').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 1000)),
    ]);
  }
  // Of 100 MB no more than a few went before the reader took any.
  expect(full).toBe(true);
  expect(written).toBeLessThan(40);
  for (let taken = 0; taken < written; taken += 1) await reader.next();
  agent.piece(Buffer.alloc(0), '', true);
  expect((await reader.next()).done).toBe(true);
  expect(await agent.code).toBe(status.OK);
});

test('too many are not waited for', () => {
  const all: ExpectedUpload[] = [];
  expect(() => {
    for (let at = 0; at < 100; at += 1) all.push(rig.sessions.expectUpload(one.serverId));
  }).toThrow(/too many/);
  for (const each of all) each.end(new AegirError('cancelled', 'enough'));
  expect(() => rig.sessions.expectUpload(one.serverId).end(new AegirError('cancelled', 'enough'))).not.toThrow();
});
