// Where content is cut: the same for ever, found again after what was put in or taken out, within bounds.
import { createCipheriv, createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createChunking, createCutPoint, SIZES, zeroChunk } from './chunker.ts';
import { createGrouping, pathHash } from './grouping.ts';

/** The same bytes everywhere. */
function noise(size: number, seed = 'aegir'): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

function cut(bytes: Buffer, piece = bytes.length): number[] {
  const sizes: number[] = [];
  const chunking = createChunking(createCutPoint(), (chunk) => sizes.push(chunk.length));
  for (let at = 0; at < bytes.length; at += piece) chunking.write(bytes.subarray(at, at + piece));
  chunking.end();
  return sizes;
}

const bytes = noise(20 * 1024 * 1024);

test('cut points never change', () => {
  expect(cut(bytes.subarray(0, 6 * 1024 * 1024))).toMatchInlineSnapshot(`
    [
      648128,
      540374,
      468623,
      463580,
      794312,
      235757,
      573588,
      726980,
      567264,
      100488,
      771268,
      401094,
    ]
  `);
  expect(cut(Buffer.alloc(10 * 1024 * 1024))).toMatchInlineSnapshot(`
    [
      4194304,
      4194304,
      2097152,
    ]
  `);
  expect(cut(Buffer.alloc(0))).toEqual([]);
  expect(cut(Buffer.alloc(1))).toEqual([1]);
});

test('however the bytes come, they are cut alike', () => {
  const whole = cut(bytes);
  for (const piece of [1_000_003, 65_536, 4 * 1024 * 1024 + 1]) expect(cut(bytes, piece)).toEqual(whole);
  expect(whole.reduce((sum, size) => sum + size, 0)).toBe(bytes.length);
  expect(Math.max(...whole)).toBeLessThanOrEqual(SIZES.max);
  expect(Math.min(...whole.slice(0, -1))).toBeGreaterThan(64 * 1024);
  expect(bytes.length / whole.length).toBeGreaterThan(300 * 1024);
  expect(bytes.length / whole.length).toBeLessThan(800 * 1024);
});

test('zeros that are known are cut as those that are read, wherever they begin and end', () => {
  const MIB = 1024 * 1024;
  const begin = bytes.subarray(0, 700_001);
  for (const before of [0, 512, 700_001]) {
    for (const zeros of [1, MIB, 4 * MIB - 512, 9 * MIB + 7]) {
      const read: Buffer[] = [];
      const known: Buffer[] = [];
      const [reading, knowing] = [read, known].map((chunks) =>
        createChunking(createCutPoint(), (chunk) => chunks.push(Buffer.from(chunk))),
      );
      for (const part of ['first', 'second']) {
        const content = part === 'first' ? bytes.subarray(0, before) : begin;
        reading?.write(content);
        knowing?.write(content);
        reading?.write(Buffer.alloc(zeros));
        knowing?.zeros(zeros - Math.floor(zeros / 2));
        knowing?.zeros(Math.floor(zeros / 2));
      }
      reading?.end();
      knowing?.end();
      expect(known.map(({ length }) => length)).toEqual(read.map(({ length }) => length));
      expect(Buffer.concat(known).equals(Buffer.concat(read))).toBe(true);
    }
  }
  const whole: Buffer[] = [];
  const chunking = createChunking(createCutPoint(), (chunk) => whole.push(chunk));
  chunking.zeros(400 * 4 * MIB);
  expect(whole.length).toBe(400);
  expect(whole.every((chunk) => chunk === zeroChunk())).toBe(true);
});

test('wherever the bytes lie, four lanes at a time find what one by one does', () => {
  const mixed = Buffer.concat([
    bytes.subarray(0, 3_000_001),
    Buffer.alloc(1_000_000, 65),
    bytes.subarray(0, 3_000_000),
  ]);
  const odd = Buffer.allocUnsafeSlow(mixed.length + 1).subarray(1);
  mixed.copy(odd);
  const ends = (of: Buffer) => {
    const cutPoint = createCutPoint();
    const found: number[] = [];
    for (let at = 0; at < of.length; at = found.at(-1) ?? 0) found.push(cutPoint(of, at, of.length));
    return found;
  };
  // What does not begin at a whole word is looked at one by one.
  expect(odd.byteOffset % 4).not.toBe(0);
  expect(ends(odd)).toEqual(ends(Buffer.from(mixed)));
});

test('what is put in changes the chunks around it alone', () => {
  const ids = (from: Buffer) => {
    const found: string[] = [];
    const chunking = createChunking(createCutPoint(), (chunk) =>
      found.push(createHash('sha256').update(chunk).digest('hex')),
    );
    chunking.write(from);
    chunking.end();
    return found;
  };
  const before = ids(bytes);
  const changed = Buffer.concat([bytes.subarray(0, 9_000_000), Buffer.from('put in'), bytes.subarray(9_000_000)]);
  const fresh = ids(changed).filter((id) => !before.includes(id));
  expect(fresh.length).toBeGreaterThan(0);
  expect(fresh.length).toBeLessThan(4);
});

test('groups: enough of neighbours, large ones alone, and the same ones again after a new one', () => {
  const paths = Array.from({ length: 3000 }, (_, i) => `files/${String(i).padStart(5, '0')}.jpg`);
  const firsts = (names: readonly string[], size: (name: string) => number) => {
    const begins = createGrouping();
    return names.filter((name) => begins(pathHash(name), size(name)));
  };
  const small = firsts(paths, () => 25_000);
  expect(small[0]).toBe(paths[0]);
  expect(paths.length / small.length).toBeGreaterThan(20);
  expect(paths.length / small.length).toBeLessThan(60);
  const [before, after] = [paths.slice(0, 1000), paths.slice(1000)];
  const again = firsts([...before, 'files/00999.new', ...after], () => 25_000);
  expect(again.filter((name) => !small.includes(name)).length).toBeLessThan(8);
  const large = firsts(['a', 'b', 'c', 'd'], (name) => (name === 'b' ? 2_000_000 : 10));
  expect(large).toEqual(['a', 'b', 'c']);
});
