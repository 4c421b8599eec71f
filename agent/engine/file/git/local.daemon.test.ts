// Attacks by whoever owns, or may change, a repository on the server itself: nothing of it may run as us.
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isRoot } from '../../conformance/file-place.ts';
import { openGitPathWorld } from '../../conformance/file-repositories.ts';
import { type FileStage, openFileStage } from '../../conformance/file-stage.ts';
import { createScratches } from '../scratch.ts';
import { createGitEngine } from './engine.ts';

const run = promisify(execFile);
const MALLORY = 54_321;
const HOOKS = ['pre-receive', 'update', 'post-receive', 'post-update', 'reference-transaction', 'pre-auto-gc'];

let stage: FileStage;
let repository = '';
/** Files that a program of the repository would leave. */
let traces = '';

beforeEach(async () => {
  stage = await openFileStage({
    ...{ name: 'git', createEngine: () => createGitEngine(createScratches()), prepares: false, sizes: false },
    openWorld: openGitPathWorld,
  });
  repository = stage.service.settings['url'] ?? '';
  traces = join(repository, '../traces');
  await mkdir(traces);
  await chmod(traces, 0o777);
});
afterEach(() => stage.close());

const config = (key: string, value: string) => run('git', ['config', '--file', join(repository, 'config'), key, value]);
const left = async (): Promise<string> => (await run('ls', [traces])).stdout.trim();
async function script(path: string, name: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\ntouch ${traces}/${name}\n`, { mode: 0o755 });
}
const put = () => stage.session((store) => store.put('backups/a', [Buffer.from('content')]));

test('programs that its configuration names run neither when it is read nor when it is written to', async () => {
  await mkdir(join(repository, 'hooks'), { recursive: true });
  for (const hook of HOOKS) await script(join(repository, 'hooks', hook), hook);
  await script(join(repository, 'evil'), 'named');
  await mkdir(join(repository, '../other.git/objects'), { recursive: true });
  await writeFile(join(repository, 'objects/info/alternates'), join(repository, '../other.git/objects'));
  await config('core.hooksPath', join(repository, 'hooks'));
  await config('core.fsmonitor', join(repository, 'evil'));
  await config('core.alternateRefsCommand', join(repository, 'evil'));
  await config('core.sshCommand', join(repository, 'evil'));
  await config('uploadpack.packObjectsHook', join(repository, 'evil'));
  await config('receive.autoGc', 'true');
  await config('gc.auto', '1');
  await config('gc.autoDetach', 'false');
  await put();
  await stage.session(async (store) => {
    for await (const _ of store.get('backups/a'));
  });
  expect(await stage.world.everything()).toContain('backups/a');
  expect(await left()).toBe('');
});

test('a link to it leads where it was looked at', async () => {
  const link = join(repository, '../link');
  await symlink(repository, link);
  const store = await stage.open(stage.with({ settings: { url: link }, secrets: {} }));
  await store.close();
  expect(stage.ran.flatMap(({ argv }) => argv)).toContain(repository);
});

test('one that everybody may change is refused, and so is one in a directory where everybody may put another', async () => {
  const refused = /^cannot open the store: the repository .* may be changed by everybody; give it to the user/;
  await chmod(join(repository, 'config'), 0o666);
  await expect(stage.open()).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(refused),
  });
  await chmod(join(repository, 'config'), 0o644);
  await chmod(join(repository, '..'), 0o777);
  await expect(stage.open()).rejects.toThrow(refused);
  // As in /tmp: nobody moves what belongs to others there.
  await chmod(join(repository, '..'), 0o1777);
  await put();
});

describe.skipIf(!isRoot)('of another user', () => {
  const refused = new RegExp(`belongs to user ${MALLORY}; give it to the user .* \\(chown -R\\)`);

  test.each(['', 'config', 'hooks', '..'])('it is refused (%s)', async (part) => {
    await mkdir(join(repository, 'hooks'), { recursive: true });
    await chown(join(repository, part), MALLORY, MALLORY);
    await expect(stage.open()).rejects.toThrow(refused);
  });

  test('it is refused behind a link, and as the .git of a directory', async () => {
    await run('chown', ['-R', `${MALLORY}:${MALLORY}`, repository]);
    const link = join(repository, '../link');
    await symlink(repository, link);
    await expect(stage.open(stage.with({ settings: { url: link }, secrets: {} }))).rejects.toThrow(refused);
    const outer = join(repository, '../outer');
    await mkdir(outer);
    await rename(repository, join(outer, '.git'));
    await expect(stage.open(stage.with({ settings: { url: outer }, secrets: {} }))).rejects.toThrow(refused);
  });

  test('one of root that we may not write to names the user that may', async () => {
    await run('chown', ['-R', '0:0', repository]);
    await run('chmod', ['-R', 'u=rwX,go=rX', repository]);
    const { stdout } = await stage.host.run({ argv: ['id', '-un'] });
    await expect(put()).rejects.toThrow(`does not let user ${stdout.trim()}, as whom git runs there, write to it`);
  });

  test('one of root is used where we may write', async () => {
    await run('chown', ['-R', '0:0', repository]);
    const { stdout } = await stage.host.run({ argv: ['id', '-g'] });
    await run('chgrp', ['-R', stdout.trim(), repository]);
    await run('chmod', ['-R', 'g+rwX', repository]);
    await put();
    expect(await stage.world.everything()).toContain('backups/a');
  });
});
