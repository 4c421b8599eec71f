// Either end killed in the middle, in processes of their own: another life goes on from what is there. And how much
// memory a transfer takes at both ends, whatever its size.
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { makeChunks, sha256 } from './kinds.ts';
import { type PeerProcess, startPeer } from './peer-process.ts';
import { createMeshRig, type MeshRig, type Passport } from './rig.ts';

const [A, B] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb'];
const WINDOW = 8 * 1024 * 1024;
let rig: MeshRig;
let a: Passport;
let b: Passport;
const open: PeerProcess[] = [];

beforeAll(async () => {
  rig = await createMeshRig();
  [a, b] = [await rig.passport(A), await rig.passport(B)];
  mkdirSync(join(a.dir, 'give'), { recursive: true });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((peer) => peer.kill()));
});
afterAll(() => rig.close());

async function peer(passport: Passport, bytesPerSecond?: number): Promise<PeerProcess> {
  const made = await startPeer({ passport, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) });
  open.push(made);
  return made;
}

async function digestOf(path: string): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest();
}

function giveFile(name: string, megabytes: number) {
  const hash = createHash('sha256');
  const file = openSync(join(a.dir, 'give', name), 'w');
  const part = randomBytes(1_000_000);
  for (let i = 0; i < megabytes; i++) {
    part.writeUInt32LE(i);
    hash.update(part);
    writeSync(file, part);
  }
  closeSync(file);
  const digest = hash.digest();
  return { senderId: A, receiverId: B, kind: 'file', name, digest, maxBytes: megabytes * 1_000_000 };
}

test('the receiver is killed in the middle: its next life fetches the rest, and hardly more', async () => {
  await peer(a, 40_000_000);
  const order = giveFile('receiver', 80);
  const first = await peer(b);
  let there = 0;
  await expect(
    first.receive(rig.grant(order), (bytes) => {
      there = bytes;
      if (bytes > 30_000_000) first.child.kill('SIGKILL');
    }),
  ).rejects.toThrow('ended');
  const second = await (await peer(b)).receive(rig.grant(order));
  expect(second).toMatchObject({ is: 'done', facts: { complete: 1 } });
  if (second.is !== 'done') return;
  expect(there).toBeGreaterThan(30_000_000);
  expect(second.facts.receivedBytes).toBeLessThan(80_000_000 - there + WINDOW);
  expect(await digestOf(join(b.dir, 'take', 'receiver'))).toEqual(order.digest);
});

test('the sender is killed in the middle: the same transfer goes on with its next life', async () => {
  const first = await peer(a, 40_000_000);
  const order = giveFile('sender', 60);
  const receiver = await peer(b);
  let killed: Promise<unknown> | undefined;
  const done = receiver.receive(rig.grant(order), (bytes) => {
    if (bytes < 20_000_000 || killed !== undefined) return;
    killed = first.kill().then(() => peer(a));
  });
  expect(await done).toMatchObject({ is: 'done', facts: { complete: 1, receivedBytes: 60_000_000 } });
  await killed;
  expect(await digestOf(join(b.dir, 'take', 'sender'))).toEqual(order.digest);
});

test('of chunks, too: what was put is not fetched again, and the index comes last', async () => {
  await peer(a, 20_000_000);
  const chunks = Array.from({ length: 3000 }, (_, i) => randomBytes(10_000 + (i % 7) * 1000));
  const made = await makeChunks(a.dir, 'many', chunks);
  const order = { senderId: A, receiverId: B, kind: 'chunks', name: 'many', digest: made.digest, maxBytes: made.bytes };
  const first = await peer(b);
  let there = 0;
  await expect(
    first.receive(rig.grant(order), (bytes) => {
      there = bytes;
      if (bytes > 15_000_000) first.child.kill('SIGKILL');
    }),
  ).rejects.toThrow('ended');
  const second = await (await peer(b)).receive(rig.grant(order));
  expect(second).toMatchObject({ is: 'done', facts: { complete: 1, objectChunks: 3000 } });
  if (second.is !== 'done') return;
  expect(second.facts.receivedBytes).toBeLessThan(made.bytes - there + WINDOW);
  expect(sha256(readFileSync(join(b.dir, 'take', 'many.caibx')))).toEqual(made.digest);
});

// 256 MB by default, 5 GB with AEGIR_BIG=1: the bound is the same.
const BIG = process.env['AEGIR_BIG'] === '1';
const MEGABYTES = BIG ? 5000 : 256;

test(
  `memory of both ends stays bounded over ${MEGABYTES} MB`,
  async () => {
    const [sender, receiver] = [await peer(a), await peer(b)];
    const [idle, resting] = [await sender.usage(), await receiver.usage()];
    const order = giveFile('big', MEGABYTES);
    const begin = performance.now();
    const done = await receiver.receive(rig.grant(order));
    const seconds = (performance.now() - begin) / 1000;
    expect(done).toMatchObject({ is: 'done', facts: { complete: 1, receivedBytes: MEGABYTES * 1_000_000 } });
    const [sent, received] = [await sender.usage(), await receiver.usage()];
    const mb = (bytes: number) => Math.round(bytes / 1e6);
    console.log(
      `${MEGABYTES} MB in ${seconds.toFixed(1)} s; highest resident memory: sender ${mb(sent.maxRssBytes)} MB ` +
        `(idle ${mb(idle.maxRssBytes)}), receiver ${mb(received.maxRssBytes)} MB (idle ${mb(resting.maxRssBytes)})`,
    );
    expect(sent.maxRssBytes - idle.maxRssBytes).toBeLessThan(150e6);
    expect(received.maxRssBytes - resting.maxRssBytes).toBeLessThan(150e6);
  },
  BIG ? 600_000 : 120_000,
);
