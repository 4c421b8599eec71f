import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCaibx, openCaibx } from './caibx.ts';

const chunks = [1, 70_000, 4 * 1024 * 1024].map((size, i) => ({ id: `${i}`.repeat(64), size }));
const sizes = { min: 1, average: 2, max: 3 };
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-caibx-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function file(bytes: Uint8Array): string {
  const path = join(dir, 'x.caibx');
  writeFileSync(path, bytes);
  return path;
}

test('says what was written, from any place', async () => {
  const index = await openCaibx(file(encodeCaibx(chunks, sizes)));
  expect([index.count, index.bytes]).toEqual([3, chunks.reduce((sum, { size }) => sum + size, 0)]);
  expect(await index.at(0, 3)).toEqual(chunks);
  expect(await index.at(1, 2)).toEqual(chunks.slice(1));
  await expect(index.at(2, 2)).rejects.toMatchObject({ code: 'data_loss' });
  await index.close();
});

test('of nothing has none', async () => {
  const index = await openCaibx(file(encodeCaibx([], sizes)));
  expect([index.count, index.bytes]).toEqual([0, 0]);
  await index.close();
});

const good = Buffer.from(encodeCaibx(chunks, sizes));
test.each([
  ['empty', Buffer.alloc(0)],
  ['cut', good.subarray(0, good.length - 1)],
  ['cut by an item', good.subarray(0, good.length - 40)],
  ['of something else', Buffer.alloc(good.length)],
])('%s: refused', async (_, bytes) => {
  await expect(openCaibx(file(bytes))).rejects.toMatchObject({ code: 'data_loss' });
});

test.each([0, 5 * 1024 * 1024])('a chunk of %i bytes cannot be', async (size) => {
  const index = await openCaibx(file(encodeCaibx([{ id: '0'.repeat(64), size }], sizes)));
  await expect(index.at(0, 1)).rejects.toMatchObject({ code: 'data_loss' });
  await index.close();
});
