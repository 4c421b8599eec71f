import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFiles, temporaryOf } from './files.ts';
import { ourselves } from './process.ts';

const isRoot = process.geteuid?.() === 0;
const files = createFiles(async ({ owner }) => (owner === 'nobody' ? { uid: 65534, gid: 65534 } : ourselves()));
let dir = '';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-files-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const at = (...names: string[]): string => join(dir, ...names);

describe('write', () => {
  test('has content and mode whatever the umask, and leaves nothing else', async () => {
    const before = process.umask(0o077);
    await files.write(at('a'), 'one', { mode: 0o664 });
    process.umask(before);
    expect(await readFile(at('a'), 'utf8')).toBe('one');
    expect((await stat(at('a'))).mode & 0o7777).toBe(0o664);
    expect(await readdir(dir)).toEqual(['a']);
  });

  test('replaces: who has the old one open keeps reading it whole', async () => {
    await files.write(at('a'), 'old', { mode: 0o600 });
    const { ino } = await stat(at('a'));
    await files.write(at('a'), Buffer.from('new'), { mode: 0o600 });
    expect((await stat(at('a'))).ino).not.toBe(ino);
    expect(await files.read(at('a'))).toBe('new');
  });

  test('replaces a symbolic link and leaves what it pointed at', async () => {
    await writeFile(at('victim'), 'mine');
    await symlink(at('victim'), at('a'));
    await files.write(at('a'), 'new', { mode: 0o600 });
    expect((await lstat(at('a'))).isFile()).toBe(true);
    expect(await readFile(at('victim'), 'utf8')).toBe('mine');
  });

  test('goes through links that only root or the agent could make, and through no others', async () => {
    await mkdir(at('real'), { mode: 0o755 });
    await symlink(at('real'), at('trusted'));
    await files.write(at('trusted', 'a'), 'one', { mode: 0o600 });
    expect(await readFile(at('real', 'a'), 'utf8')).toBe('one');
    await files.directory(at('trusted', 'b', 'c'), { mode: 0o755 });
    await files.remove(at('trusted', 'b'));
    // A directory that others may write in, as those of a site or of a daemon that is not root.
    await mkdir(at('theirs'));
    await chmod(at('theirs'), 0o777);
    await symlink(at('real'), at('theirs', 'link'));
    await writeFile(at('real', 'kept'), 'mine');
    const refused = { code: 'failed_precondition', message: expect.stringContaining('somebody else could change') };
    await expect(files.write(at('theirs', 'link', 'x'), 'x', { mode: 0o600 })).rejects.toMatchObject(refused);
    await expect(files.directory(at('theirs', 'link', 'x'), { mode: 0o755 })).rejects.toMatchObject(refused);
    await expect(files.link('/etc', at('theirs', 'link', 'x'))).rejects.toMatchObject(refused);
    await expect(files.remove(at('theirs', 'link', 'kept'))).rejects.toMatchObject(refused);
    expect((await readdir(at('real'))).sort()).toEqual(['a', 'kept']);
  });

  test('what a crash left is taken away, also when it is a link put there', async () => {
    await writeFile(at('victim'), 'mine');
    await symlink(at('victim'), temporaryOf(at('a')));
    await files.write(at('a'), 'new', { mode: 0o600 });
    expect(await readFile(at('victim'), 'utf8')).toBe('mine');
    expect(await readdir(dir)).toEqual(['a', 'victim']);
    await writeFile(temporaryOf(at('a')), 'half');
    expect(await files.list(dir)).toEqual(['a', 'victim']);
  });

  test('one that fails leaves nothing', async () => {
    await mkdir(at('a', 'x'), { recursive: true });
    await expect(files.write(at('a'), 'two', { mode: 0o600 })).rejects.toThrow(/a directory is there/);
    expect(await readdir(dir)).toEqual(['a']);
  });

  test('many at once on one file: one of them whole', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(5000));
    await Promise.all(texts.map((text) => files.write(at('a'), text, { mode: 0o600 })));
    expect(await files.read(at('a'))).toBe(texts.at(-1));
    expect(await files.list(dir)).toEqual(['a']);
  });

  test('no directory, and no absolute path, are clear errors', async () => {
    await expect(files.write(at('no', 'a'), 'x', { mode: 0o600 })).rejects.toThrow(/no does not exist/);
    await expect(files.write('a', 'x', { mode: 0o600 })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(files.write(`${dir}/../a`, 'x', { mode: 0o600 })).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

test('matches looks at content, mode and kind', async () => {
  await files.write(at('a'), 'ä', { mode: 0o640 });
  expect(await files.matches(at('a'), 'ä', { mode: 0o640 })).toBe(true);
  expect(await files.matches(at('a'), 'b', { mode: 0o640 })).toBe(false);
  expect(await files.matches(at('a'), 'ä', { mode: 0o600 })).toBe(false);
  expect(await files.matches(at('none'), 'ä', { mode: 0o640 })).toBe(false);
  await symlink(at('a'), at('link'));
  expect(await files.matches(at('link'), 'ä', { mode: 0o640 })).toBe(false);
});

test.skipIf(!isRoot)('owners are given, and missed when they differ', async () => {
  await files.write(at('a'), 'x', { mode: 0o400, owner: 'nobody' });
  expect((await stat(at('a'))).uid).toBe(65534);
  expect(await files.matches(at('a'), 'x', { mode: 0o400, owner: 'nobody' })).toBe(true);
  expect(await files.matches(at('a'), 'x', { mode: 0o400 })).toBe(false);
  await files.directory(at('d'), { mode: 0o2750, owner: 'nobody' });
  expect((await stat(at('d'))).mode & 0o7777).toBe(0o2750);
});

test('directory makes parents, mends mode, and refuses links and files', async () => {
  await files.directory(at('p', 'q'), { mode: 0o2711 });
  expect((await stat(at('p'))).mode & 0o7777).toBe(0o755);
  expect(await files.directoryMatches(at('p', 'q'), { mode: 0o2711 })).toBe(true);
  await chmod(at('p', 'q'), 0o700);
  expect(await files.directoryMatches(at('p', 'q'), { mode: 0o2711 })).toBe(false);
  await files.directory(at('p', 'q'), { mode: 0o2711 });
  expect(await files.directoryMatches(at('p', 'q'), { mode: 0o2711 })).toBe(true);
  await symlink(at('p'), at('link'));
  await expect(files.directory(at('link'), { mode: 0o777 })).rejects.toThrow(/cannot make directory/);
  expect((await stat(at('p'))).mode & 0o7777).toBe(0o755);
  await writeFile(at('f'), '');
  await expect(files.directory(at('f'), { mode: 0o700 })).rejects.toThrow(/no directory/);
});

test('links are made, replaced, read', async () => {
  await files.link('/one', at('l'));
  await files.link('/two', at('l'));
  expect(await files.readLink(at('l'))).toBe('/two');
  expect(await files.readLink(at('none'))).toBeUndefined();
  await files.write(at('f'), '', { mode: 0o600 });
  expect(await files.readLink(at('f'))).toBeUndefined();
  expect(await files.exists(at('l'))).toBe(true); // dangling, and there
});

test('read: none is undefined, what is no file is an error', async () => {
  await files.write(at('f'), 'x', { mode: 0o600 });
  expect(await files.read(at('none'))).toBeUndefined();
  expect(await files.read(at('f', 'below'))).toBeUndefined();
  await expect(files.read(dir)).rejects.toThrow(/no regular file/);
});

describe('remove', () => {
  test('takes a tree and leaves what its links point at', async () => {
    await mkdir(at('outside'));
    await writeFile(at('outside', 'keep'), 'x');
    await mkdir(at('tree', 'deep'), { recursive: true });
    await symlink(at('outside'), at('tree', 'deep', 'link'));
    await files.remove(at('tree'));
    expect(await readdir(dir)).toEqual(['outside']);
    expect(await readdir(at('outside'))).toEqual(['keep']);
  });

  test('takes a link to a directory, not the directory; twice is no error', async () => {
    await mkdir(at('outside'));
    await symlink(at('outside'), at('link'));
    await files.remove(at('link'));
    await files.remove(at('link'));
    await files.remove(at('outside', 'none', 'deeper'));
    expect(await readdir(dir)).toEqual(['outside']);
  });

  test.each(['/', '/etc', 'relative', '/a/..'])('refuses %s', async (path) => {
    await expect(files.remove(path)).rejects.toThrow(/cannot remove/);
  });
});
