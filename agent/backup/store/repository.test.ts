// Reading from a service that is far away: what is got next is fetched together, ahead, in bounds, and nothing is lost when
// that fails.
import { createHash, randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore } from '../../engine/engine.ts';
import type { ChunkRef } from '../../mesh/objects.ts';
import { plainForm } from './form.ts';
import { createRepository } from './repository.ts';

interface Far {
  readonly store: ObjectStore;
  readonly refs: readonly ChunkRef[];
  /** How many were brought along by each call. */
  readonly calls: readonly number[];
  /** Fetched one by one. */
  readonly alone: readonly string[];
  /** Most that were brought and not got yet. */
  most(): number;
}

function far(count: number, fails: (call: number) => boolean = () => false): Far {
  const objects = new Map<string, Buffer>();
  const refs = Array.from({ length: count }, () => {
    const raw = randomBytes(100);
    const id = createHash('sha256').update(raw).digest('hex');
    objects.set(plainForm.chunk(id), zstdCompressSync(raw));
    return { id, size: raw.length };
  });
  const brought = new Set<string>();
  const calls: number[] = [];
  const alone: string[] = [];
  let most = 0;
  const store: ObjectStore = {
    maxObjectBytes: 1_000_000,
    async bring(names) {
      calls.push(names.length);
      if (fails(calls.length)) throw new AegirError('unavailable', 'cannot get objects: the way is cut');
      for (const name of names) brought.add(name);
      most = Math.max(most, brought.size);
    },
    async *get(name) {
      if (!brought.delete(name)) alone.push(name);
      yield objects.get(name) ?? Buffer.alloc(0);
    },
    put: async () => {},
    stat: async () => undefined,
    present: async (names) => names.map(() => true),
    list: () => (async function* () {})(),
    remove: async () => {},
    flush: async () => {},
    close: async () => {},
  };
  return { store, refs, calls, alone, most: () => most };
}

test('chunks that are got next come together, and not too many of them', async () => {
  const { store, refs, calls, alone, most } = far(100);
  const { chunks } = createRepository(store, plainForm);
  chunks.soon?.(refs.map(({ id }) => id));
  for (const ref of refs) expect((await chunks.read(ref)).length).toBe(100);
  expect(alone).toEqual([]);
  expect(calls.reduce((sum, each) => sum + each, 0)).toBe(100);
  expect(calls.length).toBeLessThan(20);
  expect(most()).toBeLessThanOrEqual(48);
});

test('what is not brought along is got by itself: without a word before, and when the way was cut', async () => {
  const silent = far(5);
  const quiet = createRepository(silent.store, plainForm).chunks;
  for (const ref of silent.refs) await quiet.read(ref);
  expect([silent.calls.length, silent.alone.length]).toEqual([0, 5]);
  const cut = far(40, (call) => call === 2);
  const { chunks } = createRepository(cut.store, plainForm);
  chunks.soon?.(cut.refs.map(({ id }) => id));
  for (const ref of cut.refs) await chunks.read(ref);
  expect(cut.alone.length).toBe(24);
});
