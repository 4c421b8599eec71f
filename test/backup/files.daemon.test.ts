// Files of a site from one agent to another: snapshot, restore, equal in everything; what did not change neither read nor
// sent; strange names, holes, links; changes while it goes on.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createMeshRig, type MeshRig } from '../mesh/rig.ts';
import { lookAt } from './look.ts';
import { type Keeper, type KeeperOptions, openKeeper, sourceOf } from './rig.ts';

const [A, B] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb'];
let rig: MeshRig;
let a: Keeper;
let b: Keeper;
let snaps = 0;

beforeAll(async () => {
  rig = await createMeshRig();
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

async function keeper(id: string, options: KeeperOptions = {}): Promise<Keeper> {
  const made = openKeeper(await rig.passport(id), options);
  await vi.waitFor(() => expect(made.mesh.state()).toBe('connected'), 10_000);
  return made;
}

async function taken(from: Keeper) {
  snaps += 1;
  const id = `snap-${snaps.toString().padStart(16, '0')}`;
  return { id, facts: await from.take(id) };
}
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
}

/** As numbers of another host. */
function movedTo(looked: ReturnType<typeof lookAt>) {
  const numbers: Record<string, string> = { '60001': '60002', '60100': '60200', '0': '0' };
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
