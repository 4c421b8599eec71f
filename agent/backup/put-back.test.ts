// A site that swaps a file for a second name of somebody else's while it is restored: what is not the site's is not given to it.
import { hash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createIndexWriter } from './caibx-file.ts';
import type { Entry } from './entry.ts';
import { openLibc } from './libc.ts';
import { openPack, type Pack } from './pack.ts';
import { openPartBytes, type PartBytes } from './part-bytes.ts';
import { putBack } from './put-back.ts';
import { encodeHeader, padding } from './tar-header.ts';

const ROUNDS = 2_000;
const CONTENT = Buffer.from('alike');
const TIME = 1_000_000_000;
const BASE = {
  size: 0,
  mtimeNs: BigInt(TIME) * 10n ** 9n,
  owner: { user: 'site', group: 'site' },
  target: '',
} as const;
const OPEN = 0o644;

let dir: string;
const at = (...path: string[]) => join(dir, ...path);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-put-back-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A tree with the one file; used up when it is put back. */
function partOfOne(): { readonly part: PartBytes; readonly pack: Pack } {
  const entries: readonly Entry[] = [
    { ...BASE, path: 'files', kind: 'directory', mode: 0o755 },
    { ...BASE, path: 'files/a', kind: 'file', mode: OPEN, size: CONTENT.length },
  ];
  const bytes = Buffer.concat([...entries.map(encodeHeader), CONTENT, Buffer.alloc(padding(CONTENT.length))]);
  const id = hash('sha256', bytes, 'buffer');
  rmSync(at('pack'), { recursive: true, force: true });
  const pack = openPack(at('pack'), { compress: false, verify: false });
  const writer = createIndexWriter(at('index.caibx'));
  pack.put(id, bytes);
  writer.add(id, bytes.length);
  writer.finish();
  return { part: openPartBytes(at('index.caibx'), pack, undefined), pack };
}

// Seconds, and more where it is on a disk.
test('a file that another one is put in the place of is written anew', { timeout: 120_000 }, async () => {
  for (const name of ['files', 'site', 'cache', 'others']) mkdirSync(at(name));
  const secret = at('others', 'secret');
  const place = (path: string, make: (path: string) => void) => {
    // Of two names of one file, the one stays when it is renamed to the other.
    rmSync(at('fresh'), { force: true });
    make(at('fresh'));
    renameSync(at('fresh'), path);
  };
  const alike = (path: string) => {
    writeFileSync(path, CONTENT, { mode: OPEN });
    utimesSync(path, TIME, TIME);
  };
  alike(secret);
  chmodSync(secret, 0o600);
  const owners = {
    siteUid: process.getuid?.() ?? 0,
    siteGid: process.getgid?.() ?? 0,
    webGid: process.getgid?.() ?? 0,
  };
  const order = { trees: [{ tree: 'files', path: at('files') }] as const, owners, cacheDir: at('cache') };
  const saying = { check() {}, progress() {}, warn() {} };

  const state = new SharedArrayBuffer(8);
  const told = new Int32Array(state);
  const [one, other] = [at('files', 'a'), at('site', 'b')];
  const worker = new Worker(new URL('../host/testing-swap.ts', import.meta.url), { workerData: { one, other, state } });
  const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  let given = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      place(one, alike);
      place(other, (path) => linkSync(secret, path));
      const { part, pack } = partOfOne();
      putBack(part, order, openLibc(), saying);
      pack.close();
      if ((statSync(secret).mode & 0o777) === OPEN) given += 1;
      chmodSync(secret, 0o600);
    }
  } finally {
    Atomics.store(told, 0, 1);
    await ended;
  }
  expect(told[1]).toBeGreaterThan(ROUNDS);
  expect(given).toBe(0);
});
