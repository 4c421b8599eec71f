// A transfer of a server to itself goes the whole way: grant, index, chunks, digests.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount } from 'nats-jwt';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Grant, GrantBody } from '../../shared/gen/aegir/v1/mesh.ts';
import { grantText } from '../../shared/grant.ts';
import { encodeCaibx, openCaibx } from './caibx.ts';
import { createFileSink } from './file-sink.ts';
import type { Bytes, ObjectKind, StoredChunk, TakenChunks } from './objects.ts';
import { createTransfers } from './transfers.ts';

const ME = 'srv-0123456789abcdef';
const OTHER = 'srv-0123456789abcdeg';
const SIZES = { min: 65_536, average: 524_288, max: 4_194_304 };
const pair = createAccount();
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-loopback-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

function grantFor(digest: Uint8Array, bytes: number, part: Partial<GrantBody> = {}): Grant {
  const body = GrantBody.encode(
    GrantBody.fromPartial({
      ...{ id: '0'.repeat(32), senderId: ME, receiverId: ME, kind: 'part', name: 'snapshot/one', digest },
      ...{ maxBytes: BigInt(bytes), expiresAt: new Date(Date.now() + 60_000), ...part },
    }),
  ).finish();
  return { body, signature: pair.sign(grantText(body)) };
}

function inMemory(bytes: Uint8Array): Bytes {
  return { size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length), close: async () => {} };
}

/** soon: told of what is got next. */
function world(chunks: readonly Uint8Array[], soon: (ids: readonly string[]) => void = () => {}) {
  const refs = chunks.map((bytes) => ({ id: sha256(bytes).toString('hex'), size: bytes.length }));
  const index = encodeCaibx(refs, SIZES);
  const kind: ObjectKind = {
    kind: 'part',
    give: async () => ({
      form: 'chunks',
      bytes: inMemory(index),
      index: {
        count: refs.length,
        bytes: refs.reduce((sum, { size }) => sum + size, 0),
        at: async (first, count) => refs.slice(first, first + count),
        close: async () => {},
      },
      store: {
        soon,
        get: async (id): Promise<StoredChunk> => {
          const at = refs.findIndex((ref) => ref.id === id);
          return { compression: 'none', bytes: chunks[at] ?? Buffer.alloc(0) };
        },
      },
      close: async () => {},
    }),
    take: () => Promise.reject(new Error('it is told where each goes')),
  };
  const transfers = createTransfers({
    ...{ me: ME, kinds: [kind], bytesPerSecond: undefined, log: () => {}, now: Date.now },
    links: { current: () => undefined, onLink: () => () => {}, grantKey: () => pair.getPublicKey() },
  });
  const got = new Map<string, Uint8Array>();
  const taken: TakenChunks = {
    form: 'chunks',
    sink: createFileSink(join(dir, 'index.caibx')),
    openIndex: openCaibx,
    store: {
      has: async (ids) => ids.map((id) => got.has(id)),
      put: async (id, raw) => void got.set(id, Buffer.from(raw)),
      flush: async () => {},
    },
  };
  const options = { from: 'web1', signal: new AbortController().signal, onProgress: () => {} };
  return { transfers, got, index, taken, options, refs };
}

test('what is here already, and what is not, comes from this server itself', async () => {
  const chunks = [randomBytes(3_000_000), randomBytes(70_000), randomBytes(10)];
  const { transfers, got, index, taken, options, refs } = world(chunks);
  const grant = grantFor(sha256(index), 3_070_010);
  const facts = await transfers.receive(grant, { ...options, into: async () => taken });
  expect(facts).toMatchObject({ complete: true, objectBytes: 3_070_010n, receivedChunks: 3n });
  expect(
    refs.map(({ id }, at) => Buffer.compare(got.get(id) ?? Buffer.alloc(0), chunks[at] ?? Buffer.alloc(1))),
  ).toEqual([0, 0, 0]);
  await transfers.close();
});

test('a store hears of all that is asked for before it is got, and of nothing else', async () => {
  const chunks = Array.from({ length: 12 }, () => randomBytes(300_000));
  const soon: string[][] = [];
  const { transfers, got, index, taken, options, refs } = world(chunks, (ids) => soon.push([...ids]));
  const there = refs.slice(3, 5).map(({ id }) => id);
  for (const id of there) got.set(id, chunks[refs.findIndex((ref) => ref.id === id)] ?? Buffer.alloc(0));
  await transfers.receive(grantFor(sha256(index), 3_600_000), { ...options, into: async () => taken });
  expect(soon.flat()).toEqual(refs.map(({ id }) => id).filter((id) => !there.includes(id)));
  await transfers.close();
});

test('a grant of other servers is none here, and a wrong digest is refused', async () => {
  const { transfers, got, index, taken, options } = world([randomBytes(100)]);
  const into = async () => taken;
  const strange = grantFor(sha256(index), 100, { receiverId: OTHER });
  await expect(transfers.receive(strange, { ...options, into })).rejects.toThrow(/names another receiver/);
  const wrong = grantFor(randomBytes(32), 100);
  await expect(transfers.receive(wrong, { ...options, into })).rejects.toMatchObject({ code: 'permission_denied' });
  expect(got.size).toBe(0);
  await transfers.close();
});
