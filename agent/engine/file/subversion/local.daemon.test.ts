// Attacks by whoever owns a repository on the server itself: its hooks must not run as us.
import { execFile } from 'node:child_process';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Host } from '../../../host/host.ts';
import { isRoot, openTestPlace } from '../../conformance/file-place.ts';
import { type FileStage, type FileWorld, openFileStage } from '../../conformance/file-stage.ts';
import { createScratches } from '../scratch.ts';
import { createSubversionEngine } from './engine.ts';

const run = promisify(execFile);
const MALLORY = 54_321;

let repository = '';
async function openFileUrlWorld(host: Host): Promise<FileWorld> {
  const number = async (which: string) => Number((await host.run({ argv: ['id', which] })).stdout);
  const owner = { uid: await number('-u'), gid: await number('-g') };
  const place = await openTestPlace('svn', owner);
  repository = join(place.path, 'my backups');
  await run('svnadmin', ['create', repository]);
  await run('svn', ['mkdir', '-q', '-m', 'place', `file://${repository}/store`]);
  if (isRoot) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, repository]);
  const url = `file://${repository.replace(' ', '%20')}/store`;
  return { ...place, everything: () => place.files(), declared: { settings: { url }, secrets: {} } };
}

let stage: FileStage;
beforeEach(async () => {
  stage = await openFileStage({
    ...{ name: 'subversion', createEngine: () => createSubversionEngine(createScratches()) },
    ...{ prepares: false, sizes: true, openWorld: openFileUrlWorld },
  });
});
afterEach(() => stage.close());
const put = (name: string) => stage.session((store) => store.put(name, [Buffer.from('content')]));
const has = (name: string) => stage.session((store) => store.stat(name));

test('one of ours is used', async () => {
  await put('backups/a');
  expect(await has('backups/a')).toMatchObject({ size: 7 });
});

test.each(['start-commit', 'pre-commit', 'post-commit'])('with a hook %s it is refused', async (hook) => {
  await put('backups/a');
  const trace = join(repository, 'trace');
  await writeFile(join(repository, 'hooks', hook), `#!/bin/sh\ntouch '${trace}'\n`, { mode: 0o755 });
  await expect(put('backups/b')).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining(
      `has a hook, which would run as us: ${join(repository, 'hooks', hook)}; remove it`,
    ),
  });
  await rm(join(repository, 'hooks', hook));
  expect(await has('backups/b')).toBeUndefined();
  expect(await stage.world.everything()).not.toContain('my backups/trace');
});

describe.skipIf(!isRoot)('of another user', () => {
  test('one of root that we may not write to names the user that may', async () => {
    await run('chown', ['-R', '0:0', repository]);
    await run('chmod', ['-R', 'u=rwX,go=rX', repository]);
    const { stdout } = await stage.host.run({ argv: ['id', '-un'] });
    await expect(put('backups/a')).rejects.toThrow(`does not let user ${stdout.trim()}, as whom svn runs there, write`);
  });

  test.each(['', 'hooks', 'db', 'format', '..'])('it is refused (%s)', async (part) => {
    await chown(join(repository, part), MALLORY, MALLORY);
    await expect(stage.open()).rejects.toThrow(`belongs to user ${MALLORY}; give it to the user`);
  });

  test('it is refused inside one of ours, too', async () => {
    const inner = join(repository, 'store');
    await mkdir(inner);
    await run('svnadmin', ['create', join(repository, '../deep')]);
    await rename(join(repository, '../deep'), join(inner, 'deep'));
    await run('chown', ['-R', `${MALLORY}:${MALLORY}`, join(inner, 'deep')]);
    const url = `${stage.service.settings['url']}/deep/more`;
    const opened = stage.open(stage.with({ settings: { url }, secrets: {} }));
    await expect(opened).rejects.toThrow(`belongs to user ${MALLORY}`);
  });
});
