import { chmod, chown, lchown, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeLeftovers } from './leftovers.ts';

const GONE = 64_321;
const OTHER = 64_322;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-leftovers-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const at = (name: string) => join(dir, name);
async function file(name: string, uid: number, mode = 0o644): Promise<void> {
  await writeFile(at(name), 'x');
  await chown(at(name), uid, uid);
  await chmod(at(name), mode);
}
async function directory(name: string, uid: number): Promise<void> {
  await mkdir(at(name), { recursive: true });
  await chown(at(name), uid, uid);
}
const left = async (name = '') => (await readdir(at(name), { recursive: true })).sort();

describe.runIf(process.getuid?.() === 0)('what a user left', () => {
  test('is removed with its set-id programs, and nothing of others', async () => {
    await directory('tmp/own/deep', GONE);
    await directory('tmp/own', GONE);
    await directory('tmp/theirs', OTHER);
    await file('tmp/.x', GONE, 0o6755);
    await file('tmp/own/deep/y', GONE, 0o600);
    await file('tmp/theirs/of-gone', GONE);
    await file('tmp/theirs/own', OTHER);
    await file('tmp/kept', 0);
    await writeFile(Buffer.concat([Buffer.from(`${at('tmp')}/`), Buffer.from([0xff, 0xfe])]), 'no UTF-8');
    await chown(Buffer.concat([Buffer.from(`${at('tmp')}/`), Buffer.from([0xff, 0xfe])]), GONE, GONE);
    await removeLeftovers(GONE, { places: [at('tmp'), at('none')] });
    expect(await left('tmp')).toEqual(['kept', 'theirs', 'theirs/own']);
    await removeLeftovers(GONE, { places: [at('tmp')] });
    expect(await left('tmp')).toEqual(['kept', 'theirs', 'theirs/own']);
  });

  test('is not looked for through links', async () => {
    await directory('elsewhere', GONE);
    await file('elsewhere/file', GONE);
    await directory('tmp', 0);
    await symlink(at('elsewhere'), at('tmp/link'));
    await lchown(at('tmp/link'), GONE, GONE);
    await symlink(at('elsewhere'), at('tmp/others-link'));
    await removeLeftovers(GONE, { places: [at('tmp')] });
    expect(await readdir(at('tmp'))).toEqual(['others-link']);
    expect(await left('elsewhere')).toEqual(['file']);
  });

  test('is found where a place itself is a link', async () => {
    await directory('elsewhere', 0);
    await file('elsewhere/file', GONE);
    await symlink(at('elsewhere'), at('place'));
    await removeLeftovers(GONE, { places: [at('place')] });
    expect(await left('elsewhere')).toEqual([]);
  });

  test('stays with the directory where somebody else has something in it', async () => {
    await directory('tmp/own', GONE);
    await file('tmp/own/theirs', OTHER);
    await file('tmp/own/mine', GONE);
    await removeLeftovers(GONE, { places: [at('tmp')] });
    expect(await left('tmp')).toEqual(['own', 'own/theirs']);
  });

  test('is looked for so deep and so long, what is nearest first', async () => {
    const deep = Array.from({ length: 9 }, (_, n) => `d${n}`).join('/');
    await directory(`tmp/${deep}`, OTHER);
    await file('tmp/z', GONE);
    await file('tmp/d0/near', GONE);
    await file(`tmp/${deep}/far`, GONE);
    await removeLeftovers(GONE, { places: [at('tmp')], maxEntries: 2 });
    expect(await left('tmp')).not.toContain('z');
    expect(await left('tmp')).toContain('d0/near');
    await removeLeftovers(GONE, { places: [at('tmp')] });
    expect(await left('tmp')).not.toContain('d0/near');
    expect(await left('tmp')).toContain(`${deep}/far`);
  });
});
