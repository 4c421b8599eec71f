// Files of a site from one agent to another: snapshot, restore, equal in everything; what did not change neither read nor
// sent; strange names, holes, links; changes while it goes on.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { sitePlace } from '../../agent/backup/site-owners.ts';
import type { CheckedGrant } from '../../agent/mesh/grant.ts';
import { createMeshRig, type MeshRig, type Passport } from '../mesh/rig.ts';
import { lookAt } from './look.ts';
import { ALL, type Keeper, type KeeperOptions, openKeeper, SITE, sourceOf } from './rig.ts';

const A = 'srv-0123456789abcdea';
const B = 'srv-0123456789abcdeb';
let rig: MeshRig;
let passports: Record<typeof A | typeof B, Passport>;
let a: Keeper;
let b: Keeper;
let snaps = 0;

beforeAll(async () => {
  rig = await createMeshRig();
  passports = { [A]: await rig.passport(A), [B]: await rig.passport(B) };
});
beforeEach(async () => {
  a = await keeper(A);
  b = await keeper(B, { uid: 60_002, webGid: 60_200 });
});
afterEach(async () => {
  await Promise.all([a.close(), b.close()]);
  for (const { id } of [a, b]) rmSync(join(rig.dir, id), { recursive: true, force: true });
});
afterAll(() => rig.close());

async function keeper(id: typeof A | typeof B, options: KeeperOptions = {}): Promise<Keeper> {
  const made = openKeeper(passports[id], options);
  await vi.waitFor(() => expect(made.mesh.state()).toBe('connected'), 10_000);
  return made;
}

async function taken(from: Keeper) {
  snaps += 1;
  const id = `snap-${snaps.toString().padStart(16, '0')}`;
  return { id, facts: await from.take(id) };
}
test('a site that went away and comes back brings only what has changed; what was kept of it goes then', async () => {
  fill(a);
  await copied(a, b);
  // As remove-site does when a site has moved.
  const place = await sitePlace(SITE, ALL, a.host);
  await a.backups.former.keepTrees(SITE.id, place);
  await a.backups.former.keepTrees(SITE.id, place);
  for (const { path } of place.trees) mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(b.site, 'files/a/new'), noise(200_000));
  const { facts, restored } = await copied(b, a);
  expect(Number(restored.receivedBytes)).toBeGreaterThanOrEqual(200_000);
  expect(Number(restored.receivedBytes)).toBeLessThan(Number(facts.bytes) / 2);
  expect(readFileSync(join(a.site, 'files/a/new')).equals(readFileSync(join(b.site, 'files/a/new')))).toBe(true);
  expect(await a.backups.former.trees(SITE.id)).toBeUndefined();
});

test('what was kept of a site is not believed: changed, it comes from the other side', async () => {
  fill(a);
  writeFileSync(join(a.site, 'files/a/kept'), noise(300_000));
  await copied(a, b);
  await a.backups.former.keepTrees(SITE.id, await sitePlace(SITE, ALL, a.host));
  const kept = await a.backups.former.trees(SITE.id);
  const was = kept?.trees.find(({ tree }) => tree === 'files')?.path ?? '';
  writeFileSync(join(was, 'a/kept'), noise(300_000));
  for (const { path } of (await sitePlace(SITE, ALL, a.host)).trees) mkdirSync(path, { mode: 0o700 });
  await copied(b, a);
  expect(readFileSync(join(a.site, 'files/a/kept')).equals(readFileSync(join(b.site, 'files/a/kept')))).toBe(true);
});

async function copied(from: Keeper, to: Keeper) {
  const { id, facts } = await taken(from);
  return { facts, restored: await to.restore(sourceOf(rig, from, to, id, facts)) };
}

const bytesOf = (name: string) => Buffer.from(name, 'latin1');
/** Content that nothing compresses. */
const noise = (size: number) => randomBytes(size);
const LONG = Array.from({ length: 4 }, (_, i) => `${'long'.repeat(20)}${i}`).join('/');

/** What sites have, and what they seldom have. */
function fill({ site }: Keeper, uid = 60_001, webGid = 60_100): void {
  const files = join(site, 'files');
  const put = (path: string, content: string | Buffer, mode = 0o644) => {
    const at = bytesOf(`${files}/${path}`);
    writeFileSync(at, content);
    chownSync(at, uid, webGid);
    chmodSync(at, mode);
  };
  for (const dir of ['styles', 'empty', 'with space', LONG, 'a', 'deep/er/still']) {
    mkdirSync(join(files, dir), { recursive: true });
  }
  put('index.html', '<p>hello</p>');
  put('empty.txt', '');
  put('with space/a file', 'space');
  put('new\nline', 'newline');
  put('ünïcode-✓.txt'.normalize('NFC'), 'utf8');
  put(Buffer.from('grüße.txt', 'utf8').toString('latin1'), 'utf8 as bytes');
  put('not-utf8-\xff\xfe', 'bytes');
  put(`${LONG}/file`, 'deep');
  put('a/x', 'slash');
  put('a-b', 'dash');
  put('a.b', 'dot');
  put('script.sh', '#!/bin/sh\n', 0o755);
  put('secret', 'none may', 0o000);
  put('set-id', 'group', 0o2755);
  put('large.bin', noise(9_000_000));
  for (let i = 0; i < 60; i++) put(`styles/${i}.css`, noise(30_000 + i * 100));
  writeFileSync(join(files, 'sparse'), '');
  truncateSync(join(files, 'sparse'), 50_000_000);
  writeFileSync(join(files, 'sparse'), 'end', { flag: 'a' });
  symlinkSync('index.html', join(files, 'link'));
  symlinkSync('/etc/passwd', join(files, 'outside'));
  symlinkSync('../../../nowhere', join(files, 'dangling'));
  lchownSync(join(files, 'link'), uid, uid);
  execFileSync('touch', ['-d', '@1600000000.123456789', join(files, 'index.html')]);
  execFileSync('touch', ['-d', '@-1.5', join(files, 'empty.txt')]);
  execFileSync('touch', ['-h', '-d', '@1500000000.987654321', join(files, 'link')]);
  execFileSync('touch', ['-d', '@1400000000.000000001', join(files, 'empty')]);
  writeFileSync(join(site, 'private', 'own'), 'private');
  chownSync(join(site, 'private', 'own'), uid, uid);
  // What root has in a site's trees would be the site's afterwards, and nothing but the site's own group has programs.
  for (const [path, { owner }] of Object.entries(lookAt(files)))
    if (path !== '' && owner.startsWith('0:')) lchownSync(bytesOf(`${files}/${path}`), uid, webGid);
  chownSync(join(files, 'set-id'), uid, uid);
  chmodSync(join(files, 'set-id'), 0o2755);
}

/** As numbers of another host; what root had there the site has here. */
function movedTo(looked: ReturnType<typeof lookAt>) {
  const numbers: Record<string, string> = { '60001': '60002', '60100': '60200', '0': '60002' };
  return Object.fromEntries(
    Object.entries(looked).map(([path, each]) => [
      path,
      {
        ...each,
        owner: each.owner
          .split(':')
          .map((id) => numbers[id])
          .join(':'),
      },
    ]),
  );
}
const trees = (keeper: Keeper) => ({
  files: lookAt(join(keeper.site, 'files')),
  private: lookAt(join(keeper.site, 'private')),
  sessions: lookAt(join(keeper.site, 'sessions')),
});
const same = (from: Keeper, to: Keeper) => {
  const [one, other] = [trees(from), trees(to)];
  for (const tree of ['files', 'private', 'sessions'] as const) expect(other[tree]).toEqual(movedTo(one[tree]));
};

test('everything is there again: content, modes, owners by what they mean, times to the nanosecond, links, holes', async () => {
  fill(a);
  const { facts, restored } = await copied(a, b);
  expect(facts.entries).toBeGreaterThan(80n);
  expect(restored).toMatchObject({ complete: true });
  same(a, b);
  const sparse = statSync(join(b.site, 'files/sparse'));
  expect(sparse.size).toBe(50_000_003);
  expect(sparse.blocks * 512).toBeLessThan(1_000_000);
  expect(readFileSync(join(b.site, 'files/sparse')).subarray(-3).toString()).toBe('end');
});

test('what did not change is not read, and not sent; of what did, the chunks around it alone', async () => {
  fill(a);
  const filled = Date.now();
  // What changed less than a second before it is first looked at may change again without a trace, and is read again.
  await vi.waitFor(() => expect(Date.now() - filled).toBeGreaterThan(1500), { timeout: 5000 });
  const first = await copied(a, b);
  expect(first.restored.receivedBytes).toBeGreaterThan(10_000_000n);
  // What changed within ten seconds is copied, and so read.
  await vi.waitFor(async () => expect((await taken(a)).facts.readBytes).toBe(0n), { timeout: 15_000, interval: 500 });
  const before = lookAt(join(b.site, 'files'));
  const again = await copied(a, b);
  expect(again.facts).toMatchObject({ readBytes: 0n, digest: first.facts.digest });
  expect(again.restored).toMatchObject({ complete: true, receivedBytes: 0n, written: 0n });
  expect(lookAt(join(b.site, 'files'))).toEqual(before);

  writeFileSync(join(a.site, 'files/styles/7.css'), 'changed');
  const large = readFileSync(join(a.site, 'files/large.bin'));
  writeFileSync(
    join(a.site, 'files/large.bin'),
    Buffer.concat([large.subarray(0, 5_000_000), Buffer.from('!'), large.subarray(5_000_000)]),
  );
  rmSync(join(a.site, 'files/a-b'));
  renameSync(join(a.site, 'files/empty'), join(a.site, 'files/emptied'));
  mkdirSync(join(a.site, 'files/new'));
  writeFileSync(join(a.site, 'files/new/file'), 'new');
  const changed = await copied(a, b);
  same(a, b);
  expect(changed.restored.written).toBe(3n);
  expect(changed.restored.receivedBytes).toBeLessThan(6_000_000n);
});

test('a restore in place: what was added goes, what was changed or removed comes back, the rest is not touched', async () => {
  fill(a);
  const whole = trees(a);
  const kept = statSync(join(a.site, 'files/large.bin'), { bigint: true });
  const { id, facts } = await taken(a);
  rmSync(join(a.site, 'files/styles'), { recursive: true });
  writeFileSync(join(a.site, 'files/styles'), 'no directory any more');
  rmSync(join(a.site, 'files/index.html'));
  mkdirSync(join(a.site, 'files/index.html/deep'), { recursive: true });
  writeFileSync(join(a.site, 'files/a/x'), 'other content');
  chmodSync(join(a.site, 'files/script.sh'), 0o600);
  mkdirSync(join(a.site, 'files/a/more/and/more'), { recursive: true });
  symlinkSync('/', join(a.site, 'files/a/more/root'));
  writeFileSync(join(a.site, 'files/.aegir-tmp-1'), 'left by a crash');
  // Files that had just changed were copied: they are there, whatever became of them.
  expect(await a.restore(sourceOf(rig, a, a, id, facts))).toMatchObject({ complete: true });
  expect(trees(a)).toEqual(whole);
  const after = statSync(join(a.site, 'files/large.bin'), { bigint: true });
  expect([after.ino, after.ctimeNs]).toEqual([kept.ino, kept.ctimeNs]);
});

test('files that changed since the snapshot: it says so, at once, and another one is what it takes', async () => {
  fill(a);
  await a.close();
  // By this clock nothing has changed lately, so nothing is copied.
  a = await keeper(A, { now: () => Date.now() + 3_600_000 });
  const empty = trees(b);
  const { id, facts } = await taken(a);
  writeFileSync(join(a.site, 'files/large.bin'), noise(9_000_000));
  rmSync(join(a.site, 'files/styles/3.css'));
  await expect(b.restore(sourceOf(rig, a, b, id, facts))).rejects.toMatchObject({
    ...{ code: 'data_loss', retryable: true },
    message: expect.stringMatching(/was changed since the snapshot was taken; take another one/),
  });
  expect(trees(b)).toEqual(empty);
  await copied(a, b);
  same(a, b);
});

test('from a server to itself: the same way, without the mesh', async () => {
  fill(a);
  const { id, facts } = await taken(a);
  await a.mesh.close();
  expect(await a.restore(sourceOf(rig, a, a, id, facts))).toMatchObject({ complete: true, written: 0n });
});

test('a part of the trees: the others stay as they are', async () => {
  fill(a);
  const { id, facts } = await taken(a);
  writeFileSync(join(b.site, 'private/own'), 'of b');
  const restored = await b.restore(sourceOf(rig, a, b, id, facts), { trees: ['files'] });
  expect(restored.complete).toBe(true);
  expect(readFileSync(join(b.site, 'private/own'), 'utf8')).toBe('of b');
  expect(lookAt(join(b.site, 'files'))).toEqual(movedTo(lookAt(join(a.site, 'files'))));
});

test('fetched before: the restore has nothing to fetch; nothing is touched until then', async () => {
  fill(a);
  const { id, facts } = await taken(a);
  const empty = trees(b);
  const fetched = await b.restore(sourceOf(rig, a, b, id, facts), { fetchOnly: true });
  expect(fetched).toMatchObject({ complete: true, written: 0n });
  expect(trees(b)).toEqual(empty);
  const restored = await b.restore(sourceOf(rig, a, b, id, facts));
  expect(restored).toMatchObject({ complete: true, receivedBytes: 0n });
  same(a, b);
  expect(readdirSync(join(b.host.paths.work, 'restores'))).toEqual([]);
});

test('cancelled, or cut: what came is kept, and the site is as it was', async () => {
  fill(a);
  const { id, facts } = await taken(a);
  const empty = trees(b);
  await b.close();
  b = await keeper(B, { uid: 60_002, webGid: 60_200, bytesPerSecond: 5_000_000 });
  const stop = new AbortController();
  const going = b.restore(sourceOf(rig, a, b, id, facts), {
    signal: stop.signal,
    onTransfer: (bytes) => bytes > 4_000_000 && stop.abort(),
  });
  await expect(going).rejects.toThrow();
  expect(trees(b)).toEqual(empty);
  await b.close();
  b = await keeper(B, { uid: 60_002, webGid: 60_200 });
  const { receivedBytes } = await b.restore(sourceOf(rig, a, b, id, facts));
  expect(Number(facts.bytes - receivedBytes)).toBeGreaterThan(3_500_000);
  same(a, b);
});

const GIB = 1024 ** 3;
/** A hole with some bytes at its ends and within. Answers them by their places. */
function putHollow({ site }: Keeper, size: number): ReadonlyMap<number, Buffer> {
  const pieces = new Map([0, size / 2 + 12_345, size - 70_000].map((at) => [at, noise(70_000)]));
  const file = openSync(join(site, 'files/disk.img'), 'w');
  for (const [at, piece] of pieces) writeSync(file, piece, 0, piece.length, at);
  closeSync(file);
  return pieces;
}

test('a file of 100 GiB that is a hole takes no longer than the bytes in it, each way, and stays a hole', async () => {
  const size = 100 * GIB;
  const pieces = putHollow(a, size);
  const { facts, restored } = await copied(a, b);
  expect(Number(facts.bytes)).toBeGreaterThan(size);
  expect(Number(facts.readBytes)).toBeLessThan(1_000_000);
  // A chunk of zeros, and those around the bytes.
  expect(Number(restored.receivedBytes)).toBeLessThan(32 * 1024 ** 2);
  const there = join(b.site, 'files/disk.img');
  const written = statSync(there);
  expect(written.size).toBe(size);
  expect(written.blocks * 512).toBeLessThan(2_000_000);
  const file = openSync(there, 'r+');
  for (const [at, piece] of pieces) {
    const read = Buffer.alloc(piece.length);
    readSync(file, read, 0, read.length, at);
    expect(read.equals(piece)).toBe(true);
  }

  // Nothing is known of it any more: it is compared. Changed within, it is written anew; the rest of the site is not.
  rmSync(join(b.host.paths.state, 'segments'), { recursive: true, force: true });
  expect(Number((await copied(a, b)).restored.written)).toBe(0);
  expect(statSync(there).ino).toBe(written.ino);
  const { atimeMs, mtimeMs } = statSync(there);
  writeSync(file, Buffer.from('x'), 0, 1, size / 4);
  closeSync(file);
  utimesSync(there, atimeMs / 1000, mtimeMs / 1000);
  expect(Number((await copied(a, b)).restored.written)).toBe(1);
  expect(statSync(there).blocks * 512).toBeLessThan(2_000_000);
});

test('what a hole is kept as is what its zeros are kept as', async () => {
  putHollow(a, 50_000_000);
  const path = join(a.site, 'files/disk.img');
  const { facts } = await taken(a);
  expect(Number(facts.readBytes)).toBeLessThan(1_000_000);
  const aside = join(a.site, 'aside');
  execFileSync('cp', ['--sparse=never', '--preserve=all', path, aside]);
  execFileSync('touch', ['-r', join(a.site, 'files'), join(a.site, 'times')]);
  renameSync(aside, path);
  execFileSync('touch', ['-r', join(a.site, 'times'), join(a.site, 'files')]);
  const full = await taken(a);
  expect(Number(full.facts.readBytes)).toBe(50_000_000);
  expect(Buffer.from(full.facts.digest).equals(Buffer.from(facts.digest))).toBe(true);
});

test('files of holes without end are refused by name, before they are read; a restore takes them away', async () => {
  writeFileSync(join(a.site, 'files/small'), 'small');
  const { id, facts } = await taken(a);
  await b.restore(sourceOf(rig, a, b, id, facts));
  for (const { site } of [a, b]) truncateSync(openEmpty(join(site, 'files/silly.img')), 15 * 1024 * GIB);
  const refused = /^cannot keep files\/silly.img: it says to be 15\.0 TiB long, .* remove it/;
  await expect(taken(a)).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(refused),
  });
  await b.restore(sourceOf(rig, a, b, id, facts));
  expect(readdirSync(join(b.site, 'files'))).not.toContain('silly.img');

  // Nor do many that each are none of these together.
  truncateSync(join(a.site, 'files/silly.img'), 600 * GIB);
  const one = await taken(a);
  expect(Number(one.facts.readBytes)).toBeLessThan(1_000_000);
  truncateSync(openEmpty(join(a.site, 'files/sillier.img')), 600 * GIB);
  await expect(taken(a)).rejects.toMatchObject({ message: expect.stringContaining('cannot keep files/silly.img: ') });
  rmSync(join(a.site, 'files/silly.img'));
  expect(Number((await taken(a)).facts.bytes)).toBeGreaterThan(600 * GIB);
});

function openEmpty(path: string): string {
  writeFileSync(path, '');
  return path;
}

test('a snapshot outlives its agent, is answered again, and is dropped', async () => {
  fill(a);
  const { id, facts } = await taken(a);
  await a.close();
  a = await keeper(A);
  expect(await a.take(id)).toEqual(facts);
  expect(await b.restore(sourceOf(rig, a, b, id, facts))).toMatchObject({ complete: true });
  await a.backups.snapshots.drop(id);
  await a.backups.snapshots.drop(id);
  await expect(b.restore(sourceOf(rig, a, b, id, facts))).rejects.toMatchObject({ code: 'not_found' });
});

test('files that change all the time are kept as they were, and those that are no files are told', async () => {
  fill(a);
  const log = join(a.site, 'files/access.log');
  const writing = setInterval(() => writeFileSync(log, `${Date.now()}\n`, { flag: 'a' }), 1);
  execFileSync('mkfifo', [join(a.site, 'files/pipe')]);
  try {
    const { id, facts } = await taken(a);
    const source = sourceOf(rig, a, b, id, facts);
    expect(await b.restore(source)).toMatchObject({ complete: true });
  } finally {
    clearInterval(writing);
  }
  const kept = readFileSync(join(b.site, 'files/access.log'), 'utf8');
  expect(readFileSync(log, 'utf8').startsWith(kept)).toBe(true);
  expect(a.said.join()).toMatch(/files\/pipe is a socket, a pipe or a device: it is not kept/);
});

test("what is named as Aegir's own work is not kept, and that is told; many such things fill no log", async () => {
  fill(a);
  mkdirSync(join(a.site, 'files/made'));
  writeFileSync(join(a.site, 'files/made/.aegir-tmp-mine'), 'mine');
  execFileSync(
    'mkfifo',
    Array.from({ length: 150 }, (_, each) => join(a.site, `files/made/pipe${each}`)),
  );
  const { id, facts } = await taken(a);
  expect(await b.restore(sourceOf(rig, a, b, id, facts))).toMatchObject({ complete: true });
  expect(readdirSync(join(b.site, 'files/made'))).toEqual([]);
  const warnings = a.said.filter((text) => text.startsWith('warn: '));
  expect(warnings).toHaveLength(101);
  expect(warnings[0]).toMatch(/files\/made has names that begin with \.aegir-tmp-: they are Aegir's own/);
  expect(warnings.filter((text) => text.includes('it is not kept'))).toHaveLength(99);
  expect(warnings.at(-1)).toBe('warn: and 51 more such warnings, which are not told');
});

/** The chunks of a snapshot as a store of casync's. */
async function writeStore({ backups }: Keeper, id: string, index: string, store: string): Promise<void> {
  const given = await backups.snapshots.source.give(id, {} as CheckedGrant);
  if (given === undefined) throw new Error('there is no such snapshot');
  for (const ref of await given.index.at(0, given.index.count)) {
    const { compression, bytes } = await given.store.get(ref.id);
    const dir = join(store, ref.id.slice(0, 4));
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, `${ref.id}.cacnk`), compression === 'zstd' ? bytes : zstdCompressSync(bytes));
  }
  writeFileSync(index, await given.bytes.read(0, given.bytes.size));
  await given.close();
}

test('the part is a tar that tar, and casync, read', async () => {
  fill(a);
  const { id, facts } = await taken(a);
  const dir = join(rig.dir, 'tar');
  const store = join(dir, 'chunks');
  await writeStore(a, id, join(a.site, 'index.caibx'), store);
  execFileSync('casync', ['extract', `--store=${store}`, join(a.site, 'index.caibx'), join(dir, 'out.tar')]);
  expect(BigInt(statSync(join(dir, 'out.tar')).size)).toBe(facts.bytes);
  mkdirSync(join(dir, 'out'));
  execFileSync('tar', ['-xpf', join(dir, 'out.tar'), '-C', join(dir, 'out'), '--numeric-owner']);
  const contents = (tree: ReturnType<typeof lookAt>) =>
    Object.fromEntries(
      Object.entries(tree).map(([path, { kind, content, mtimeNs, size }]) => [path, { kind, content, mtimeNs, size }]),
    );
  expect(contents(lookAt(join(dir, 'out/files')))).toEqual(contents(lookAt(join(a.site, 'files'))));
});
