// Transfers between agents over a real nats-server: blobs and chunks, what is lacking alone, limits, cuts and resumes.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openFolderStore } from './folder-store.ts';
import { chunksKind, fileKind, makeChunks, sha256 } from './kinds.ts';
import { createMeshRig, type MeshRig, openPeer, type Passport, type Peer, type PeerOptions } from './rig.ts';

const A = 'srv-0123456789abcdea';
const B = 'srv-0123456789abcdeb';
let rig: MeshRig;
let passports: { readonly a: Passport; readonly b: Passport };
const open: Peer[] = [];

beforeAll(async () => {
  rig = await createMeshRig();
  passports = { a: await rig.passport(A), b: await rig.passport(B) };
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((peer) => peer.close()));
});
afterAll(() => rig.close());

function peer(passport: Passport, options: Partial<PeerOptions> = {}): Peer {
  const { dir } = passport;
  const kinds = [fileKind(dir), chunksKind(dir, openFolderStore(join(dir, 'store')))];
  const made = openPeer(passport, { kinds, ...options });
  open.push(made);
  return made;
}

async function connected(...peers: Peer[]): Promise<void> {
  for (const each of peers) await vi.waitFor(() => expect(each.mesh.state()).toBe('connected'), 10_000);
}

function give(name: string, bytes: Uint8Array) {
  writeFileSync(join(passports.a.dir, 'give', name), bytes);
  return { senderId: A, receiverId: B, kind: 'file', name, digest: sha256(bytes), maxBytes: bytes.length };
}

test('a blob arrives whole, once, with what it took', async () => {
  const [a, b] = [peer(passports.a), peer(passports.b)];
  await connected(a, b);
  const bytes = randomBytes(20_000_001);
  const order = give('blob', bytes);
  const facts = await b.receive(rig.grant(order));
  expect(facts).toMatchObject({ complete: true, receivedBytes: 20_000_001n, objectBytes: 20_000_001n });
  expect(facts.roundTripMicros).toBeGreaterThan(0n);
  expect(readFileSync(join(b.dir, 'take', 'blob')).equals(bytes)).toBe(true);
  expect(existsSync(join(b.dir, 'take', 'blob.part'))).toBe(false);
  await vi.waitFor(() => expect(a.sender.open()).toBe(0));
  // Again: nothing travels.
  expect(await b.receive(rig.grant(order))).toMatchObject({ complete: true, receivedBytes: 0n });
});

test('of chunks only those travel that are lacking, each once', async () => {
  const [a, b] = [peer(passports.a), peer(passports.b)];
  const chunks = Array.from({ length: 700 }, (_, i) => randomBytes(100 + ((i * 7919) % 60_000)));
  const large = randomBytes(4 * 1024 * 1024);
  const all = [...chunks, large, ...chunks.slice(0, 50)];
  const first = await makeChunks(a.dir, 'first', all);
  await connected(a, b);
  const order = { senderId: A, receiverId: B, kind: 'chunks', maxBytes: first.bytes };
  const facts = await b.receive(rig.grant({ ...order, name: 'first', digest: first.digest }));
  expect(facts).toMatchObject({ complete: true, receivedChunks: 701n, objectChunks: 751n });
  const there = openFolderStore(join(b.dir, 'store'));
  for (const [i, { id }] of first.refs.entries()) {
    expect(Buffer.from((await there.get(id)).bytes).equals(all[i] as Buffer)).toBe(true);
  }
  const index = readFileSync(join(b.dir, 'take', 'first.caibx'));
  expect(sha256(index).equals(first.digest)).toBe(true);

  const changed = [...chunks.slice(0, 300), randomBytes(5000), ...chunks.slice(301), large];
  const second = await makeChunks(a.dir, 'second', changed);
  const fresh = rig.grant({ ...order, name: 'second', digest: second.digest, maxBytes: second.bytes });
  expect(await b.receive(fresh)).toMatchObject({ complete: true, receivedChunks: 1n, receivedBytes: 5000n });
});

test('several transfers share the limit of an agent', async () => {
  const [a, b] = [peer(passports.a, { bytesPerSecond: 10_000_000 }), peer(passports.b)];
  await connected(a, b);
  const orders = ['x', 'y', 'z'].map((name) => give(name, randomBytes(5_000_000)));
  const begin = performance.now();
  const facts = await Promise.all(orders.map((order) => b.receive(rig.grant(order))));
  const seconds = (performance.now() - begin) / 1000;
  expect(facts.every(({ complete }) => complete)).toBe(true);
  // 15 MB at 10 MB/s.
  expect(seconds).toBeGreaterThan(1.3);
  expect(seconds).toBeLessThan(5);
});

test('an empty one arrives, too', async () => {
  const [a, b] = [peer(passports.a), peer(passports.b)];
  await connected(a, b);
  expect(await b.receive(rig.grant({ ...give('empty', Buffer.alloc(0)), maxBytes: 1 }))).toMatchObject({
    complete: true,
  });
  expect(statSync(join(b.dir, 'take', 'empty')).size).toBe(0);
});

test('the node dies in the middle: the transfer goes on by itself, and little is sent again', async () => {
  const [a, b] = [peer(passports.a, { bytesPerSecond: 30_000_000 }), peer(passports.b)];
  await connected(a, b);
  const bytes = randomBytes(60_000_000);
  let killed = false;
  const facts = await b.receive(rig.grant(give('node', bytes)), {
    onProgress: (there) => {
      if (killed || there < 20_000_000) return;
      killed = true;
      process.kill(rig.pidOfNode(), 'SIGKILL');
    },
  });
  expect(killed).toBe(true);
  expect(facts).toMatchObject({ complete: true, receivedBytes: 60_000_000n });
  expect(
    createHash('sha256')
      .update(readFileSync(join(b.dir, 'take', 'node')))
      .digest('hex'),
  ).toBe(sha256(bytes).toString('hex'));
  expect([...a.log, ...b.log].join('\n')).toContain('going on in');
});

test('a grant that ends in the middle: what came stays, another one goes on from there', async () => {
  const [a, b] = [peer(passports.a, { bytesPerSecond: 5_000_000 }), peer(passports.b)];
  await connected(a, b);
  const order = give('slow', randomBytes(20_000_000));
  const first = await b.receive(rig.grant({ ...order, lifeMs: 4000 }));
  expect(first.complete).toBe(false);
  expect(first.receivedBytes).toBeGreaterThan(1_000_000n);
  await a.close();
  peer(passports.a);
  const second = await b.receive(rig.grant(order));
  expect(second.complete).toBe(true);
  expect(first.receivedBytes + second.receivedBytes).toBe(20_000_000n);
});

test('cancelled: it stops at once at both ends, and says so', async () => {
  const [a, b] = [peer(passports.a, { bytesPerSecond: 2_000_000 }), peer(passports.b)];
  await connected(a, b);
  const stop = new AbortController();
  const going = b.receive(rig.grant(give('cancelled', randomBytes(20_000_000))), {
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  await expect(going).rejects.toMatchObject({ code: 'cancelled' });
  await vi.waitFor(() => expect(a.sender.open()).toBe(0), 3000);
});
