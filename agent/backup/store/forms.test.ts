// What is pure about stores of backups: indexes that pass through, sealed content, digests that are kept, frames of zstd.
import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeCaibx } from '../../mesh/caibx.ts';
import type { ChunkRef } from '../../mesh/objects.ts';
import { createFingerprints } from './fingerprints.ts';
import { countIn, cut, readIndex, writeIndex } from './index-stream.ts';
import { createLocks } from './locks.ts';
import { createSealedForm } from './sealed-form.ts';
import { frameSize } from './zstd-frame.ts';

const SIZES = { min: 65_536, average: 524_288, max: 4_194_304 };
const refs: ChunkRef[] = Array.from({ length: 100 }, (_, at) => ({
  id: randomBytes(32).toString('hex'),
  size: at + 1,
}));

async function* pieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const gathered = async (content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
  const all: Uint8Array[] = [];
  for await (const piece of content) all.push(Buffer.from(piece));
  return Buffer.concat(all);
};

test.each([1, 39, 40, 41, 1000, 100_000])('an index is read in pieces of %i bytes, and cut apart', async (size) => {
  const file = encodeCaibx(refs, SIZES);
  const { head, batches } = await readIndex(pieces(file, size), 'index');
  const got: ChunkRef[] = [];
  for await (const batch of batches) got.push(...batch);
  expect(got).toEqual(refs);
  expect(countIn(file.length)).toBe(100);
  const again = await readIndex(pieces(file, size), 'index');
  const part = await gathered(writeIndex(head, 20, cut(again.batches, 30, 20)));
  expect(part.equals(encodeCaibx(refs.slice(30, 50), SIZES))).toBe(true);
});

test.each([0, 20, 64, 103, 104 + 39, 104 + 40 * 99, 104 + 40 * 100 - 1])(
  'an index that ends after %i bytes is told',
  async (length) => {
    const file = encodeCaibx(refs, SIZES).subarray(0, length);
    const read = async () => {
      const { batches } = await readIndex(pieces(file, 100), 'index of bak');
      for await (const _ of batches);
    };
    await expect(read()).rejects.toMatchObject({ code: 'data_loss' });
  },
);

test.each([0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])(
  '%i bytes are sealed and opened again, under their own name and key alone',
  async (size) => {
    const form = createSealedForm(Buffer.alloc(32, 1));
    const plain = randomBytes(size);
    const sealed = await gathered(form.seal('chunks/a', pieces(plain, 70_001)));
    expect((await gathered(form.open('chunks/a', pieces(sealed, 65_537)))).equals(plain)).toBe(true);
    const open = (name: string, bytes: Uint8Array, key = 1) =>
      gathered(createSealedForm(Buffer.alloc(32, key)).open(name, pieces(bytes, 65_537)));
    const damaged = { code: 'data_loss' };
    await expect(open('chunks/b', sealed)).rejects.toMatchObject(damaged);
    await expect(open('chunks/a', sealed, 2)).rejects.toMatchObject(damaged);
    for (const length of [0, 10, 48, sealed.length - 1]) {
      await expect(open('chunks/a', sealed.subarray(0, length)), `${length}`).rejects.toMatchObject(damaged);
    }
    for (const at of [0, 20, 47, sealed.length - 1]) {
      const flipped = Buffer.from(sealed);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await expect(open('chunks/a', flipped), `${at}`).rejects.toMatchObject(damaged);
    }
  },
);

test('frames of a sealed object cannot be left out or swapped', async () => {
  const form = createSealedForm(Buffer.alloc(32, 1));
  const sealed = await gathered(form.seal('chunks/a', [randomBytes(3 * 1024 * 1024)]));
  const frame = 1024 * 1024 + 16;
  const [head, one, two, three] = [0, 48, 48 + frame, 48 + 2 * frame].map((at, nth) =>
    sealed.subarray(at, nth === 0 ? 48 : at + frame),
  ) as [Buffer, Buffer, Buffer, Buffer];
  expect(Buffer.concat([head, one, two, three]).equals(sealed)).toBe(true);
  for (const parts of [[one, two], [two, one, three], [one, three], [one, two, three, three], [three]]) {
    const opened = gathered(form.open('chunks/a', pieces(Buffer.concat([head, ...parts]), 100_000)));
    await expect(opened).rejects.toMatchObject({ code: 'data_loss' });
  }
});

test('digests are remembered, also many of them', () => {
  const set = createFingerprints(16);
  const ids = Array.from({ length: 20_000 }, () => randomBytes(32).toString('hex'));
  for (const id of ids) set.add(id);
  for (const id of ids) set.add(id);
  set.add('0'.repeat(64));
  expect(set.size).toBe(20_001);
  expect([...ids, '0'.repeat(64)].every((id) => set.has(id))).toBe(true);
  expect(Array.from({ length: 1000 }, () => randomBytes(32).toString('hex')).some((id) => set.has(id))).toBe(false);
});

test.each([0, 1, 255, 256, 65_791, 65_792, 4_194_304])('a frame says that it has %i bytes', (size) => {
  const frame = zstdCompressSync(Buffer.alloc(size, 'x'));
  const said = frameSize(frame);
  // Of a tiny frame the size may be left out, or the frame be too short to look at: then it is unpacked.
  if (size > 255) expect(said).toBe(size);
  else expect([size, undefined]).toContain(said);
  expect(frameSize(randomBytes(100))).toBeUndefined();
});

test('many share a lock, one has it alone, in the order in which they came', async () => {
  const locks = createLocks();
  const { signal } = new AbortController();
  const said: string[] = [];
  const act = (name: string) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    return {
      resolve,
      run: async () => {
        said.push(`${name} in`);
        await promise;
        said.push(`${name} out`);
      },
    };
  };
  const [a, b, c, d] = [act('a'), act('b'), act('c'), act('d')];
  const all = [locks.shared('x', signal, a.run), locks.shared('x', signal, b.run)];
  all.push(locks.alone('x', signal, c.run), locks.shared('x', signal, d.run));
  const gone = new AbortController();
  const left = locks.alone('x', gone.signal, async () => void said.push('never'));
  gone.abort();
  await expect(left).rejects.toMatchObject({ code: 'cancelled' });
  await locks.alone('other', signal, async () => void said.push('other'));
  expect(said).toEqual(['a in', 'b in', 'other']);
  for (const each of [b, a, c, d]) each.resolve();
  await Promise.all(all);
  expect(said.slice(3)).toEqual(['b out', 'a out', 'c in', 'c out', 'd in', 'd out']);
});
