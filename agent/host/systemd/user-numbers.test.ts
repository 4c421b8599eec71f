import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOST_UIDS, isHostUid, isSharedUid, nextSharedUid, SMALL_HOST_UIDS } from '../../../shared/site-uid.ts';
import { createFiles } from '../files.ts';
import type { Files } from '../host.ts';
import type { Run } from '../process.ts';
import { createUserNumbers, rangeOf } from './user-numbers.ts';

const range = { first: 5000, last: 5009 };
const ours = async () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

let dir: string;
let users: Set<number>;
let groups: Set<number>;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-numbers-'));
  for (const name of ['state', 'sites', 'etc']) await mkdir(join(dir, name));
  [users, groups] = [new Set(), new Set()];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const memory = () => join(dir, 'state/highest-uid-from-5000');
/** As after a start of the agent. */
function numbers(more: { files?: Files } = {}) {
  const run: Run = async ({ argv: [, , database, key] }) => {
    const has = (database === 'passwd' ? users : groups).has(Number(key));
    const stdout = database === 'passwd' ? `u:x:${key}:${key}::/:/bin/sh\n` : `g:x:${key}:\n`;
    return { code: has ? 0 : 2, stdout: has ? stdout : '', stderr: '' };
  };
  const files = more.files ?? createFiles(ours);
  const places = { state: join(dir, 'state'), sites: join(dir, 'sites'), etc: join(dir, 'etc') };
  return createUserNumbers({ run, files, ...places, range: async () => range });
}

describe("numbers of sites' users", () => {
  test('rise, over restarts too, though their users are gone', async () => {
    const first = numbers();
    expect([await first.next(), await first.next(), await numbers().next()]).toEqual([5000, 5001, 5002]);
    expect(await readFile(memory(), 'utf8')).toBe('5002\n');
  });

  test('skip what a user or a group has', async () => {
    users.add(5000).add(5002);
    groups.add(5001);
    expect(await numbers().next()).toBe(5003);
    expect(await numbers().next()).toBe(5004);
  });

  test('are remembered before anybody has them: a crash loses one and gives none again', async () => {
    const real = createFiles(ours);
    // The machine dies before the memory is written: nobody was given the number.
    const dead = { ...real, write: () => Promise.reject(new Error('no power')) };
    await expect(numbers({ files: dead }).next()).rejects.toThrow('no power');
    expect(await numbers().next()).toBe(5000);
    // It dies once the memory is written, before the number is told.
    const late: Files = {
      ...real,
      async write(...written) {
        await real.write(...written);
        throw new Error('no power');
      },
    };
    await expect(numbers({ files: late }).next()).rejects.toThrow('no power');
    expect(await numbers().next()).toBe(5002);
  });

  test('begin above users, groups and owners of sites where the memory is lost or old', async () => {
    await writeFile(
      join(dir, 'etc/passwd'),
      'root:x:0:0::/:/bin/sh\naegir-a:x:5001:5001::/:/bin/sh\nnobody:x:65534:1::/:\n',
    );
    await writeFile(join(dir, 'etc/group'), 'root:x:0:\naegir-b:x:5003:\n');
    expect(await numbers().next()).toBe(5004);
    await writeFile(memory(), '5000\n');
    expect(await numbers().next()).toBe(5004);
  });

  test.runIf(process.getuid?.() === 0)('begin above the owners of what is in the trees of sites', async () => {
    await mkdir(join(dir, 'sites/site-1/files'), { recursive: true });
    await mkdir(join(dir, 'sites/site-2'));
    await chown(join(dir, 'sites/site-1/files'), 5004, 0);
    await chown(join(dir, 'sites/site-2'), 0, 5006);
    expect(await numbers().next()).toBe(5007);
  });

  test('end with a clear word, and begin no second round', async () => {
    await writeFile(memory(), '5008\n');
    expect(await numbers().next()).toBe(5009);
    const refused = {
      code: 'resource_exhausted',
      message: expect.stringMatching(/all up to 5009 were given.*find \/ -uid/),
    };
    await expect(numbers().next()).rejects.toMatchObject(refused);
    await expect(numbers().next()).rejects.toMatchObject(refused);
  });

  test('begin another round where a person says so, though others have higher ones', async () => {
    users.add(5000).add(5009);
    await writeFile(join(dir, 'etc/passwd'), 'aegir-a:x:5009:5009::/:/bin/sh\n');
    await expect(numbers().next()).rejects.toThrow('as "4999 again"');
    await writeFile(memory(), '4999 again\n');
    expect([await numbers().next(), await numbers().next()]).toEqual([5001, 5002]);
    expect(await readFile(memory(), 'utf8')).toBe('5002 again\n');
  });

  test.each(['', 'x', '4998\n', '5001 more\n', ' again', '5010\n', '-5001', '5001\n5002\n'])(
    'are not guessed from a memory of %j',
    async (text) => {
      await writeFile(memory(), text);
      await expect(numbers().next()).rejects.toMatchObject({
        code: 'data_loss',
        message: expect.stringContaining(`${memory()} should hold the highest of 5000 to 5009`),
      });
    },
  );
});

test('a container has the numbers that its map has', () => {
  const all = '         0          0 4294967295\n';
  expect(rangeOf([all, all])).toBe(HOST_UIDS);
  expect(rangeOf([])).toBe(HOST_UIDS);
  expect(rangeOf([all, '         0     100000      65536\n'])).toBe(SMALL_HOST_UIDS);
  expect(rangeOf([`0 100000 65536\n${HOST_UIDS.first} ${HOST_UIDS.first} 120000000\n`])).toBe(HOST_UIDS);
  expect(rangeOf([`${HOST_UIDS.first} ${HOST_UIDS.first} 119999999\n`])).toBe(SMALL_HOST_UIDS);
});

test('the ranges of the master and of agents have no number in common, nor with people and containers', () => {
  for (const uid of [0, 999, 1000, 39_999, 60_000, 65_534, 524_288, 1_879_048_191, 2_147_352_576]) {
    expect([uid, isSharedUid(uid), isHostUid(uid)]).toEqual([uid, false, false]);
  }
  for (const { first, last } of [HOST_UIDS, SMALL_HOST_UIDS]) {
    for (const uid of [first, last]) expect([isHostUid(uid), isSharedUid(uid)]).toEqual([true, false]);
  }
  expect(nextSharedUid(0)).toBe(480_000);
  expect(nextSharedUid(480_000)).toBe(480_001);
  expect(nextSharedUid(524_287)).toBe(2_010_000_000);
  expect(nextSharedUid(2_019_999_999)).toBeUndefined();
  expect(isSharedUid(2_019_999_999)).toBe(true);
});
