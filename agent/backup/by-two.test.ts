// A snapshot by two threads is the one that one thread takes, whatever becomes of the second.
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { byTwo } from './by-two.ts';
import { endCompanion, SIGNALS } from './companion.ts';
import { type Saying, type TakeFilesOrder, takeFiles } from './take-files.ts';
import { type CallOptions, createWorkers, type Hand, type Workers } from './workers.ts';

const MB = 1024 * 1024;
const QUIET: Saying = { check() {}, progress() {}, warn() {} };
/** Of an hour ahead: what was written just now is no longer likely to change. */
const later = () => Date.now() + 3_600_000;

let dir: string;
let workers: Workers;
let orders = 0;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-by-two-'));
  workers = createWorkers();
  for (const tree of ['files', 'private']) {
    for (let i = 0; i < 3; i++) mkdirSync(join(dir, tree, `d${i}`), { recursive: true });
    for (let i = 0; i < 900; i++) write(join(tree, `d${i % 3}`, `f${i}`), 20_000 + 37 * (i % 97));
    write(join(tree, 'large'), 9 * MB);
    write(join(tree, 'none'), 0);
  }
});
afterEach(async () => {
  await workers.close();
  rmSync(dir, { recursive: true });
});

/** Bytes that its name says. */
function write(name: string, size: number): void {
  const block = createHash('sha512').update(name).digest();
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += block.length) {
    block.writeUInt32LE(at, 0);
    block.copy(bytes, at);
  }
  writeFileSync(join(dir, name), bytes);
  utimesSync(join(dir, name), 1_000_000_000, 1_000_000_000);
}

function order(): TakeFilesOrder {
  orders += 1;
  const at = join(dir, `taken-${orders}`);
  mkdirSync(at);
  return {
    ...{ dir: at, cacheDir: join(dir, `cache-${orders}`), last: true, at: later(), copyBytes: 0 },
    trees: [
      { tree: 'files', path: join(dir, 'files') },
      { tree: 'private', path: join(dir, 'private') },
    ],
    owners: { siteUid: process.getuid?.() ?? 0, siteGid: process.getgid?.() ?? 0, webGid: 1 },
  };
}

function keptIn({ dir: at, cacheDir }: TakeFilesOrder): Record<string, string> {
  const paths = ['index.caibx', 'segments', 'entries', 'pack'].map((name) => join(at, name));
  const caches = ['files', 'private'].map((name) => join(cacheDir, name));
  return Object.fromEntries([...paths, ...caches].map((path) => [path.split('/').at(-1), digestOf(path)]));
}
function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function takeByTwo(from: Workers, hand: Hand, wanted: TakeFilesOrder, options: CallOptions) {
  return byTwo(from, wanted.owners, options.signal, (companion, two) =>
    hand.call('takeFiles', { ...wanted, companion }, { ...options, ...two }),
  );
}

async function takenByTwo(wanted: TakeFilesOrder) {
  const hand = await workers.take();
  let helped = 0;
  const counting: Workers = {
    ...workers,
    take() {
      helped += 1;
      return workers.take();
    },
  };
  try {
    const { digest, ...facts } = await takeByTwo(counting, hand, wanted, {});
    return { facts: { ...facts, digest: Buffer.from(digest).toString('hex') }, helped };
  } finally {
    await hand.release();
  }
}

test('index, segments and what is known next are those of one thread', async () => {
  const [one, two] = [order(), order()];
  const signals = new SharedArrayBuffer(4 * SIGNALS);
  const { port1, port2 } = new MessageChannel();
  const hand = await workers.take();
  const companion = { port: port2, signals };
  const reading = hand.call('readAlong', { companion, owners: two.owners }, { give: [port2] });
  const facts = takeFiles({ ...two, companion: { port: port1, signals } }, QUIET, later);
  endCompanion(signals);
  await reading;
  await hand.release();
  expect(facts).toEqual(takeFiles(one, QUIET, later));
  expect(facts.readBytes).toBeGreaterThan(50 * MB);
  expect(keptIn(two)).toEqual(keptIn(one));
});

test('directories that the second one looked at before their turn are what one thread sees', async () => {
  const root = join(dir, 'private');
  for (const each of ['a', 'b/deep/er', 'b/deeper', 'b/none', 'c-', 'c/x', 'c/y', 'c/z']) {
    mkdirSync(join(root, each), { recursive: true });
    for (let i = 0; i < 200; i++) write(join('private', each, `n${i}`), i % 3);
    symlinkSync('../a', join(root, each, 'link'));
  }
  mkdirSync(join(root, 'wide'));
  for (let i = 0; i < 1500; i++) write(join('private', 'wide', `w${i}`), 0);
  for (let i = 0; i < 9; i++) mkdirSync(join(root, 'wide', `v${i}`, 'v'), { recursive: true });
  const known = order();
  takeFiles(known, QUIET, later);
  const [one, two] = [order(), order()].map((each) => ({ ...each, cacheDir: known.cacheDir }));
  const facts = takeFiles(one as TakeFilesOrder, QUIET, later);
  const kept = keptIn(one as TakeFilesOrder);
  const taken = await takenByTwo(two as TakeFilesOrder);
  expect(taken).toEqual({ facts: { ...facts, digest: facts.digest.toString('hex') }, helped: 1 });
  expect(facts.readBytes).toBe(0);
  expect(keptIn(two as TakeFilesOrder)).toEqual(kept);
  // Whoever looks ahead sees what lies there then, and says when it is none of the site's.
  writeFileSync(join(root, 'c', 'y', '.aegir-tmp-1'), '');
  const third = { ...order(), cacheDir: known.cacheDir };
  expect((await takenByTwo(third)).facts).toMatchObject({ exact: false, entries: facts.entries });
});

test('the second thread begins when there is much to read; what is known wants none', async () => {
  const one = order();
  const { digest, ...facts } = takeFiles(one, QUIET, later);
  const taken = await takenByTwo(order());
  expect(taken).toEqual({ facts: { ...facts, digest: digest.toString('hex') }, helped: 1 });
  const again = await takenByTwo({ ...order(), cacheDir: one.cacheDir });
  expect(again).toEqual({ facts: { ...taken.facts, readBytes: 0 }, helped: 0 });
});

test('a second thread that never comes, or ends, leaves all of it to the first', async () => {
  const one = order();
  takeFiles(one, QUIET, later);
  for (const after of [0, 20]) {
    const signals = new SharedArrayBuffer(4 * SIGNALS);
    const { port1, port2 } = new MessageChannel();
    const alone = order();
    let calls = 0;
    const check = () => {
      calls += 1;
      if (calls === after) endCompanion(signals);
    };
    if (after === 0) endCompanion(signals);
    takeFiles({ ...alone, companion: { port: port1, signals } }, { ...QUIET, check, wanted: () => {} }, later);
    port2.close();
    expect(keptIn(alone)).toEqual(keptIn(one));
  }
});

test('of a file that grows meanwhile the next snapshot is what one from nothing is', async () => {
  const hand = await workers.take();
  const first = order();
  const growing = setInterval(() => appendFileSync(join(dir, 'private', 'large'), 'more'), 1);
  try {
    await takeByTwo(workers, hand, first, {});
  } finally {
    clearInterval(growing);
    await hand.release();
  }
  const [one, two] = [order(), { ...order(), cacheDir: first.cacheDir }];
  takeFiles(one, QUIET, later);
  await takenByTwo(two);
  expect(digestOf(join(two.dir, 'index.caibx'))).toBe(digestOf(join(one.dir, 'index.caibx')));
});

test('cancelled, both end', async () => {
  const hand = await workers.take();
  const stop = new AbortController();
  // The first one has dealt out what only the second one can answer.
  const stopping: Workers = {
    ...workers,
    async take() {
      const second = await workers.take();
      stop.abort(new Error('enough'));
      return second;
    },
  };
  await expect(takeByTwo(stopping, hand, order(), { signal: stop.signal })).rejects.toThrow('enough');
  await hand.release();
});
