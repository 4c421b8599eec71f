// Parts that must do no harm: archives of somebody else's making, other objects' grants, links that the site puts into the
// way while its files are restored, a disk that is full.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { dlopen, setUint8 } from 'node:ffi';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createDuties } from '../../agent/backup/duties.ts';
import type { Entry } from '../../agent/backup/entry.ts';
import { encodeHeader, padding } from '../../agent/backup/tar-header.ts';
import { createMeshRig, type MeshRig, type Passport } from '../mesh/rig.ts';
import { forge } from './forge.ts';
import { lookAt } from './look.ts';
import { type Keeper, openKeeper, sourceOf } from './rig.ts';

const [A, B] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb'];
let rig: MeshRig;
let passports: { readonly a: Passport; readonly b: Passport };
let a: Keeper;
let b: Keeper;
let forged = 0;

beforeAll(async () => {
  rig = await createMeshRig();
  passports = { a: await rig.passport(A), b: await rig.passport(B) };
});
beforeEach(async () => {
  a = openKeeper(passports.a);
  b = openKeeper(passports.b);
  for (const each of [a, b]) await vi.waitFor(() => expect(each.mesh.state()).toBe('connected'), 10_000);
  writeFileSync(join(b.site, 'files/mine'), 'what the site has');
  writeFileSync(join(b.site, 'private/mine'), 'what the site has');
});
afterEach(async () => {
  await Promise.all([a.close(), b.close()]);
  for (const { id } of [a, b]) rmSync(join(rig.dir, id), { recursive: true, force: true });
});
afterAll(() => rig.close());

function given(bytes: Buffer, chunkBytes?: number) {
  forged += 1;
  const id = `snap-${forged.toString().padStart(16, 'f')}`;
  return { id, facts: forge(a, id, bytes, chunkBytes) };
}
const BASE = { mode: 0o755, size: 0, mtimeNs: 10n ** 18n, owner: { user: 'site', group: 'site' }, target: '' } as const;
const folder = (path: string): Entry => ({ ...BASE, path, kind: 'directory' });
const link = (path: string, target: string): Entry => ({ ...BASE, path, kind: 'link', mode: 0o777, target });
const file = (path: string, content: string, more: Partial<Entry> = {}): Buffer => {
  const entry: Entry = { ...BASE, path, kind: 'file', mode: 0o644, size: content.length, ...more };
  return Buffer.concat([encodeHeader(entry), Buffer.from(content), Buffer.alloc(padding(content.length))]);
};
function hardLink(path: string, target: string): Buffer {
  const header = encodeHeader({ ...BASE, path, kind: 'link', mode: 0o777, target });
  header.write('1', 156);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
const tar = (...entries: readonly (Entry | Buffer)[]) =>
  Buffer.concat([...entries.map((each) => (Buffer.isBuffer(each) ? each : encodeHeader(each))), Buffer.alloc(1024)]);
const whole = [folder('private'), folder('sessions')];

async function foreign(...headers: readonly Parameters<ReturnType<typeof pack>['entry']>[0][]): Promise<Buffer> {
  const making = pack();
  for (const header of headers) making.entry(header, header.size === undefined ? '' : 'x'.repeat(header.size));
  making.finalize();
  const parts: Buffer[] = [];
  for await (const part of making) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

test.each<[string, () => Buffer | Promise<Buffer>, RegExp]>([
  ['leads up', () => tar(folder('files'), file('files/../../../evil', 'x'), ...whole), /leads out of the site/],
  ['is absolute', () => tar(file('/tmp/aegir-evil', 'x')), /leads out of the site/],
  [
    'goes through a link',
    () => tar(folder('files'), link('files/out', '/tmp'), file('files/out/evil', 'x'), ...whole),
    /lies in no directory of it/,
  ],
  [
    'replaces a link by what lies behind it',
    () => tar(folder('files'), link('files/a', '/tmp'), folder('files/a')),
    /twice/,
  ],
  ['replaces a tree by a link', () => tar(link('files', '/etc')), /is no directory/],
  [
    'has a hard link out of it',
    () => tar(folder('files'), hardLink('files/a', '/etc/shadow'), ...whole),
    /a hard link/,
  ],
  ['has a device', () => foreign({ name: 'files/sda', type: 'block-device', devmajor: 8, devminor: 0 }), /a device/],
  ['is a tar of somebody else', () => foreign({ name: 'files/', type: 'directory' }), /a number in a header is none/],
  ['is no tar', () => randomBytes(100_000), /cannot use the archive/],
  ['is cut off', () => tar(folder('files'), file('files/a', 'x'.repeat(5000))).subarray(0, 3000), /cut off/],
  ['lacks a tree', () => tar(folder('files')), /it has no private/],
])('an archive that %s is refused, and nothing is touched', async (_, make, why) => {
  const { id, facts } = given(await make());
  const before = lookAt(b.site);
  const going = b.restore(sourceOf(rig, a, b, id, facts));
  await expect(going).rejects.toMatchObject({ code: 'permission_denied', message: expect.stringMatching(why) });
  expect(lookAt(b.site)).toEqual(before);
  expect(existsSync('/tmp/aegir-evil')).toBe(false);
  expect(readdirSync(join(b.host.paths.work, 'restores'))).toEqual([]);
});

test('links of the site itself are put back as they were, and never followed', async () => {
  const outside = join(rig.dir, 'outside');
  mkdirSync(outside, { recursive: true });
  writeFileSync(join(outside, 'mine'), 'not the site’s');
  symlinkSync(outside, join(b.site, 'files/way'));
  const { id, facts } = given(
    tar(
      folder('files'),
      link('files/etc', '/etc/passwd'),
      folder('files/way'),
      file('files/way/mine', 'new'),
      ...whole,
    ),
  );
  await b.restore(sourceOf(rig, a, b, id, facts));
  expect(readFileSync(join(outside, 'mine'), 'utf8')).toBe('not the site’s');
  expect(readdirSync(outside)).toEqual(['mine']);
  expect(readFileSync(join(b.site, 'files/way/mine'), 'utf8')).toBe('new');
  expect(lookAt(join(b.site, 'files'))['etc']).toMatchObject({ kind: 'link', content: '/etc/passwd' });
  expect(existsSync(join(b.site, 'files/mine'))).toBe(false);
});

test('programs that run as somebody else do not come in with a restore', async () => {
  const { id, facts } = given(
    tar(
      folder('files'),
      file('files/root', 'x', { mode: 0o6755, owner: { user: 'root', group: 'root' } }),
      file('files/site', 'x', { mode: 0o4755 }),
      file('files/stranger', 'x', { mode: 0o4755, owner: { user: 1000, group: 1000 } }),
      file('files/web', 'x', { mode: 0o2755, owner: { user: 'site', group: 'web' } }),
      ...whole,
    ),
  );
  await b.restore(sourceOf(rig, a, b, id, facts));
  const mode = (name: string) => (statSync(join(b.site, 'files', name)).mode & 0o7777).toString(8);
  expect([mode('root'), mode('site'), mode('web'), mode('stranger')]).toEqual(['755', '4755', '755', '755']);
  // Nor does anything of root's, to which a web server would follow a link of root's.
  for (const name of ['root', 'stranger']) expect(statSync(join(b.site, 'files', name)).uid).toBe(60_001);
  expect(statSync(join(b.site, 'files/root')).gid).toBe(60_001);
  expect(b.said.join()).toMatch(/2 files|files were of users or groups that mean nothing on this server/);
});

test('a chunk that is damaged, an index that is cut, a grant for something else: told, and nothing is touched', async () => {
  const bytes = tar(folder('files'), file('files/a', randomBytes(50_000).toString('hex')), ...whole);
  const { id, facts } = given(bytes);
  const before = lookAt(b.site);
  const path = join(a.host.paths.work, 'snapshots', id);
  const good = { pack: readFileSync(join(path, 'pack')), index: readFileSync(join(path, 'index.caibx')) };
  const rotten = Buffer.from(good.pack);
  rotten[30_000] = (rotten[30_000] ?? 0) ^ 1;
  writeFileSync(join(path, 'pack'), rotten);
  await expect(b.restore(sourceOf(rig, a, b, id, facts))).rejects.toMatchObject({ code: 'data_loss' });
  writeFileSync(join(path, 'pack'), good.pack);
  writeFileSync(join(path, 'index.caibx'), good.index.subarray(0, -50));
  await expect(b.restore(sourceOf(rig, a, b, id, facts))).rejects.toThrow();
  writeFileSync(join(path, 'index.caibx'), good.index);
  const grant = rig.grant({
    ...{
      senderId: A,
      receiverId: B,
      kind: 'probe',
      name: `snapshot/${id}`,
      digest: facts.digest,
      maxBytes: 10_000_000,
    },
  });
  await expect(b.restore({ part: 'files', grant, senderName: 'a' })).rejects.toThrow(
    /does not know it|grant is for probe/,
  );
  const wrong = { ...facts, digest: createHash('sha256').update('x').digest() };
  await expect(b.restore(sourceOf(rig, a, b, id, wrong))).rejects.toMatchObject({ code: 'permission_denied' });
  await expect(b.restore(sourceOf(rig, a, b, '../../state', facts))).rejects.toThrow();
  expect(lookAt(b.site)).toEqual(before);
  await b.restore(sourceOf(rig, a, b, id, facts));
  expect(existsSync(join(b.site, 'files/a'))).toBe(true);
});

test('the disk is full: told, what the site has is there, and with room it goes on', async () => {
  const small = join(rig.dir, 'small');
  mkdirSync(small, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small]);
  try {
    const passport = { ...passports.b, dir: small };
    await b.close();
    b = openKeeper(passport);
    await vi.waitFor(() => expect(b.mesh.state()).toBe('connected'), 10_000);
    writeFileSync(join(b.site, 'files/mine'), 'what the site has');
    const before = lookAt(b.site);
    const noise = randomBytes(3_000_000).toString('latin1');
    const content = Buffer.from(noise, 'latin1');
    const entry: Entry = { ...BASE, path: 'files/big', kind: 'file', mode: 0o644, size: content.length };
    const bytes = tar(folder('files'), entry, content, Buffer.alloc(padding(content.length)), ...whole);
    const { id, facts } = given(bytes, 500_000);
    await expect(b.restore(sourceOf(rig, a, b, id, facts))).rejects.toMatchObject({
      ...{ code: 'resource_exhausted', message: expect.stringMatching(/disk is full; make room/) },
    });
    expect(lookAt(b.site)).toEqual(before);
    execFileSync('mount', ['-o', 'remount,size=20m', small]);
    const { receivedBytes } = await b.restore(sourceOf(rig, a, b, id, facts));
    expect(Number(receivedBytes)).toBeLessThan(bytes.length - 1_000_000);
    expect(readFileSync(join(b.site, 'files/big')).equals(content)).toBe(true);
  } finally {
    await b.close();
    execFileSync('umount', ['-l', small]);
  }
});

test('what a program writes through memory that it has mapped is in the next backup, though it moves no time', async () => {
  const files = join(a.site, 'files');
  const path = join(files, 'mapped');
  writeFileSync(path, 'clean');
  const { functions } = dlopen('libc.so.6', {
    mmap: { return: 'pointer', arguments: ['pointer', 'u64', 'i32', 'i32', 'i32', 'i64'] },
    munmap: { return: 'i32', arguments: ['pointer', 'u64'] },
  });
  const [READ_WRITE, SHARED, PAGE] = [3, 1, 4096n];
  const file = openSync(path, 'r+');
  const mapped = functions.mmap(0n, PAGE, READ_WRITE, SHARED, file, 0n);
  closeSync(file);
  const { uid, gid } = statSync(files);
  const take = (name: string, cache: string, meanwhile: (bytes: number) => void = () => {}) => {
    const dir = join(rig.dir, A, name);
    mkdirSync(dir);
    const order = {
      ...{ dir, trees: [{ tree: 'files', path: files }] as const, cacheDir: join(rig.dir, A, cache) },
      ...{ owners: { siteUid: uid, siteGid: uid, webGid: gid }, last: true, at: Date.now(), copyBytes: 0 },
    };
    return createDuties(Date.now).takeFiles(order, { check() {}, warn() {}, progress: meanwhile });
  };
  try {
    // The first store opens the page for those that follow, which nobody is told of.
    setUint8(mapped, 0, 'c'.charCodeAt(0));
    const { ctimeNs } = statSync(path, { bigint: true });
    await vi.waitFor(() => expect(Date.now() - Number(ctimeNs / 1_000_000n)).toBeGreaterThan(1500), 5000);
    let read = false;
    take('one', 'cache', (bytes) => {
      // Of the first file, and there is none but this.
      if (read || bytes === 0) return;
      setUint8(mapped, 0, 'C'.charCodeAt(0));
      read = true;
    });
    expect([read, readFileSync(path, 'latin1')]).toEqual([true, 'Clean']);
    expect(take('two', 'cache').digest).toEqual(take('three', 'none').digest);
  } finally {
    functions.munmap(mapped, PAGE);
  }
});
