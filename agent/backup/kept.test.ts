// What is kept on disk of parts: indexes as casync has them, packs that a crash cut, caches that are damaged, lines of
// entries, places of chunks.
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCaibx } from '../mesh/caibx.ts';
import { createIndexWriter, createPlaces, readIndex } from './caibx-file.ts';
import { SIZES } from './chunker.ts';
import { comparePaths } from './entry.ts';
import { decodeFound, encodeFound, type FoundEntry } from './found-entry.ts';
import { openPack } from './pack.ts';
import { openSegmentCache } from './segment-cache.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-kept-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const at = (name: string) => join(dir, name);

test('an index is written piece by piece as it would be at once, and read back', () => {
  const refs = Array.from({ length: 10_000 }, (_, i) => ({
    id: sha256(Buffer.from(`${i % 9000}`)),
    size: 1 + ((i * 7919) % 4_000_000),
  }));
  const writer = createIndexWriter(at('index'));
  for (const { id, size } of refs) writer.add(id, size);
  const digest = writer.finish();
  const file = readFileSync(at('index'));
  expect(
    file.equals(
      encodeCaibx(
        refs.map(({ id, size }) => ({ id: id.toString('hex'), size })),
        SIZES,
      ),
    ),
  ).toBe(true);
  expect(digest.equals(sha256(file))).toBe(true);
  const index = readIndex(at('index'));
  expect([index.count, index.bytes]).toEqual([10_000, refs.reduce((sum, { size }) => sum + size, 0)]);
  const places = createPlaces(index);
  for (const place of [0, 1, 5000, 8999]) {
    expect(places(index.idAt(place))).toBe(place);
    expect(index.placeOf(index.offsetAt(place))).toBe(place);
    expect(index.placeOf(index.offsetAt(place + 1) - 1)).toBe(place);
    expect(index.sizeAt(place)).toBe(refs[place]?.size);
  }
  expect(places(index.idAt(9500))).toBe(500);
  expect(places(sha256(Buffer.from('none')))).toBeUndefined();
});

test.each<[string, (file: Buffer) => Buffer]>([
  ['cut', (file) => file.subarray(0, -1)],
  ['cut by a chunk', (file) => Buffer.concat([file.subarray(0, 64), file.subarray(104)])],
  ['without its end', (file) => Buffer.concat([file.subarray(0, -8), Buffer.alloc(8)])],
  ['of zeros', (file) => Buffer.alloc(file.length)],
  ['empty', () => Buffer.alloc(0)],
])('an index that is %s is told', (_, alter) => {
  const writer = createIndexWriter(at('index'));
  for (let i = 0; i < 3; i++) writer.add(randomBytes(32), 4_000_000);
  writer.finish();
  writeFileSync(at('index'), alter(readFileSync(at('index'))));
  expect(() => readIndex(at('index'))).toThrow(expect.objectContaining({ code: 'data_loss' }));
});

test('a pack keeps chunks once, and after a crash those that are whole', () => {
  const chunks = [randomBytes(100_000), Buffer.alloc(500_000, 'text '), randomBytes(1)];
  const pack = openPack(at('pack'), { compress: true, verify: false });
  for (const chunk of [...chunks, ...chunks]) pack.put(sha256(chunk), chunk);
  for (const chunk of chunks) expect(pack.raw(sha256(chunk)).equals(chunk)).toBe(true);
  expect(pack.get(sha256(chunks[1] as Buffer)).compression).toBe('zstd');
  expect(pack.get(sha256(chunks[0] as Buffer)).compression).toBe('none');
  expect(() => pack.get(sha256(Buffer.from('none')))).toThrow(expect.objectContaining({ code: 'data_loss' }));
  pack.close();
  expect(statSync(at('pack')).size).toBeLessThan(101_000);

  appendFileSync(at('pack'), readFileSync(at('pack')).subarray(0, 70_000));
  const again = openPack(at('pack'), { compress: true, verify: true });
  for (const chunk of chunks) expect(again.raw(sha256(chunk)).equals(chunk)).toBe(true);
  again.close();
  truncateSync(at('pack'), 50_000);
  const cut = openPack(at('pack'), { compress: true, verify: true });
  expect(chunks.map((chunk) => cut.has(sha256(chunk)))).toEqual([false, false, false]);
  cut.put(sha256(chunks[0] as Buffer), chunks[0] as Buffer);
  expect(cut.raw(sha256(chunks[0] as Buffer)).equals(chunks[0] as Buffer)).toBe(true);
  cut.close();
});

test('a chunk whose bytes rotted is none', () => {
  const chunk = randomBytes(1000);
  const pack = openPack(at('pack'), { compress: false, verify: false });
  pack.put(sha256(chunk), chunk);
  pack.close();
  const file = readFileSync(at('pack'));
  file[500] = (file[500] ?? 0) ^ 1;
  writeFileSync(at('pack'), file);
  const verified = openPack(at('pack'), { compress: false, verify: true });
  expect(verified.has(sha256(chunk))).toBe(false);
  verified.close();
});

test('a cache remembers what was kept last, and forgets all when it is damaged', () => {
  const keys = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;
  const refs = [
    { id: randomBytes(32), size: 5 },
    { id: randomBytes(32), size: 4_194_304 },
  ];
  const first = openSegmentCache(at('site/files'));
  expect(first.get(keys[0])).toBeUndefined();
  first.keep(keys[0], refs);
  first.keep(keys[1], []);
  first.save();
  const second = openSegmentCache(at('site/files'));
  expect(second.get(keys[0])).toEqual(refs);
  expect(second.get(keys[1])).toEqual([]);
  expect(second.get(keys[2])).toBeUndefined();
  second.keep(keys[0], refs);
  second.save();
  expect(openSegmentCache(at('site/files')).get(keys[1])).toBeUndefined();
  const file = readFileSync(at('site/files'));
  for (const damaged of [
    file.subarray(0, -1),
    Buffer.concat([file, Buffer.alloc(1)]),
    Buffer.alloc(0),
    Buffer.alloc(file.length),
  ]) {
    writeFileSync(at('site/files'), damaged);
    expect(openSegmentCache(at('site/files')).get(keys[0])).toBeUndefined();
  }
});

test('lines of entries are read back', () => {
  const entry = {
    path: 'files/a\nb\xff',
    kind: 'file',
    mode: 0o2644,
    size: 20_000_000_000,
    mtimeNs: -5n,
    target: '',
  } as const;
  const found: FoundEntry[] = [
    { entry: { ...entry, owner: { user: 'site', group: 'web' } }, ino: 2n ** 63n, ctimeNs: 1_600_000_000_123_456_789n },
    {
      entry: { ...entry, path: 'files/l', kind: 'link', size: 0, target: '/x y', owner: { user: 5, group: 'root' } },
      ...{ ino: 0n, ctimeNs: 0n },
    },
    {
      entry: { ...entry, path: 'files', kind: 'directory', size: 0, owner: { user: 'root', group: 7 } },
      ino: 0n,
      ctimeNs: 0n,
    },
  ];
  expect(decodeFound(encodeFound(found))).toEqual(found);
  expect(decodeFound(Buffer.alloc(0))).toEqual([]);
});

test('paths are in the order in which a tree is walked', () => {
  const sorted = [
    'files',
    'files/a',
    'files/a/x',
    'files/a/x/y',
    'files/a-b',
    'files/a.b',
    'files/a0',
    'files/b',
    'private',
  ];
  expect([...sorted].reverse().sort(comparePaths)).toEqual(sorted);
  expect(comparePaths('a', 'a')).toBe(0);
});
