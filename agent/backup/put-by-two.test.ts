// What two threads put back is what one does, whatever lies in their way, and whatever becomes of the second.
import { createHash, hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createIndexWriter } from './caibx-file.ts';
import { endCompanion, SIGNALS } from './companion.ts';
import type { Entry } from './entry.ts';
import { openLibc } from './libc.ts';
import { openPack } from './pack.ts';
import { openPartBytes } from './part-bytes.ts';
import { type PutBackOrder, putBack } from './put-back.ts';
import { encodeHeader, padding } from './tar-header.ts';
import { createWorkers, type Workers } from './workers.ts';

const CHUNK = 200_000;
const QUIET = { check() {}, progress() {}, warn() {} };
const owners = {
  siteUid: process.getuid?.() ?? 0,
  siteGid: process.getgid?.() ?? 0,
  webGid: process.getgid?.() ?? 0,
};
const BASE = {
  size: 0,
  mtimeNs: 1_000_000_000_123_456_789n,
  owner: { user: 'site', group: 'site' },
  target: '',
} as const;

let dir: string;
let workers: Workers;
let parts = 0;
const at = (...path: string[]) => join(dir, ...path);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-put-two-'));
  workers = createWorkers();
});
afterEach(async () => {
  await workers.close();
  rmSync(dir, { recursive: true });
});

/** Directories of 300 files each, some empty, large, of zeros, or no files; cut without regard to where they end. */
function makePart() {
  parts += 1;
  const pieces: Buffer[] = [];
  const put = (entry: Partial<Entry> & Pick<Entry, 'path' | 'kind'>, content = Buffer.alloc(0)) =>
    pieces.push(
      encodeHeader({ ...BASE, mode: entry.kind === 'file' ? 0o640 : 0o750, size: content.length, ...entry }),
      content,
      Buffer.alloc(padding(content.length)),
    );
  put({ path: 'files', kind: 'directory' });
  for (const name of ['a', 'b', 'c', 'd', 'd/e']) {
    put({ path: `files/${name}`, kind: 'directory' });
    if (name === 'd') continue;
    const names = Array.from({ length: 300 }, (_, i) => `f${String(i).padStart(3, '0')}`);
    for (const [i, file] of names.entries()) {
      const path = `files/${name}/${file}`;
      const size = i === 7 ? 2_000_000 : i % 11 === 0 ? 0 : 3_000 + i * 13;
      const block = createHash('sha512').update(path).digest();
      if (i === 9) put({ path, kind: 'link', target: 'f001' });
      else put({ path, kind: 'file' }, i % 50 === 1 ? Buffer.alloc(size) : Buffer.alloc(size, block));
    }
  }
  const bytes = Buffer.concat(pieces);
  const pack = openPack(at(`pack-${parts}`), { compress: false, verify: false });
  const writer = createIndexWriter(at(`index-${parts}`));
  for (let from = 0; from < bytes.length; from += CHUNK) {
    const chunk = bytes.subarray(from, from + CHUNK);
    const id = hash('sha256', chunk, 'buffer');
    pack.put(id, chunk);
    writer.add(id, chunk.length);
  }
  writer.finish();
  return { part: openPartBytes(at(`index-${parts}`), pack, undefined), pack };
}

function order(name: string): PutBackOrder {
  mkdirSync(at(name));
  return { trees: [{ tree: 'files', path: at(name) }], owners, cacheDir: at(`${name}-cache`) };
}

/** Of all that lies there. */
function shown(name: string): readonly string[] {
  return readdirSync(at(name), { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const { mode, mtimeMs, size, uid, gid } = statSync(at(name, path));
      const content = mode & 0o040000 ? '' : hash('sha256', readFileSync(at(name, path)));
      return [path, mode.toString(8), mtimeMs, mode & 0o040000 ? '' : size, uid, gid, content].join(' ');
    });
}

function alone(wanted: PutBackOrder) {
  const { part, pack } = makePart();
  const done = putBack(part, wanted, openLibc(), QUIET);
  pack.close();
  return done;
}

async function byTwo(wanted: PutBackOrder, meanwhile: (wanted: number) => void = () => {}) {
  const { part, pack } = makePart();
  const signals = new SharedArrayBuffer(4 * SIGNALS);
  const { port1, port2 } = new MessageChannel();
  const hand = await workers.take();
  await hand.call('reset', undefined); // it is there
  const helping = hand.call('readAlong', { companion: { port: port2, signals }, owners }, { give: [port2] });
  let asked = 0;
  try {
    const saying = { ...QUIET, wanted: () => meanwhile(++asked) };
    const done = putBack(part, { ...wanted, companion: { port: port1, signals } }, openLibc(), saying);
    return { done, asked, made: Atomics.load(new Int32Array(signals), 1) };
  } finally {
    endCompanion(signals);
    await helping;
    await hand.release();
    pack.close();
    port1.close();
  }
}

test('trees and counts are those of one thread', async () => {
  const [one, two] = [order('one'), order('two')];
  const done = alone(one);
  const both = await byTwo(two);
  expect(both).toMatchObject({ done, asked: 1 });
  expect(done.written).toBe(4 * 300);
  // Some of it was made by the other one.
  expect(both.made).toBeGreaterThan(2);
  expect(shown('two')).toEqual(shown('one'));
  expect(shown('one')).toHaveLength(5 + 4 * 300);
});

test('what the site makes there meanwhile gives way, and a second thread that ends leaves the rest to the first', async () => {
  alone(order('one'));
  const two = order('two');
  await byTwo(two, () => {
    // Of the directory that is at work: nothing had these names when it was looked at.
    for (let i = 250; i < 300; i++) writeFileSync(at('two', 'b', `f${i}`), 'mine');
  });
  expect(shown('two')).toEqual(shown('one'));
  const signals = new SharedArrayBuffer(4 * SIGNALS);
  const { port1, port2 } = new MessageChannel();
  const { part, pack } = makePart();
  const three = { ...order('three'), companion: { port: port1, signals } };
  let checks = 0;
  const check = () => {
    checks += 1;
    if (checks === 900) endCompanion(signals);
  };
  // Nobody is at the other end: all that was dealt out is taken back.
  putBack(part, three, openLibc(), { ...QUIET, check, wanted() {} });
  expect(shown('three')).toEqual(shown('one'));
  pack.close();
  port1.close();
  port2.close();
});

test('what cannot be made is told by the first thread', async () => {
  const two = order('two');
  await expect(byTwo(two, () => rmSync(at('two', 'b'), { recursive: true }))).rejects.toThrow('ENOENT');
});
