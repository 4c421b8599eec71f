import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeFileEngine } from '../../conformance/file.ts';
import { isRoot, openTestPlace, type TestPlace } from '../../conformance/file-place.ts';
import { type FileStage, type FileSubject, openFileStage } from '../../conformance/file-stage.ts';
import { createMountEngine } from './engine.ts';
import { MARK } from './place.ts';

const run = promisify(execFile);
const base = { name: 'mount', createEngine: createMountEngine, prepares: true, sizes: true, sweeps: true };

function declaredAt(place: TestPlace) {
  // Where root mounts nothing it lies on the root file system.
  const settings: Record<string, string> = place.tooMuch === undefined ? { local: 'true' } : {};
  return { settings: { path: place.path, ...settings }, secrets: {} };
}

const worldAt = (place: TestPlace) => ({
  ...place,
  declared: declaredAt(place),
  everything: async () => (await place.files()).filter((path) => path !== MARK),
});

describeFileEngine({ ...base, openWorld: async () => worldAt(await openTestPlace('mount')) });

describe('a mount service', () => {
  let place: TestPlace;
  let stage: FileStage;
  const subject = (): FileSubject => ({
    ...base,
    openWorld: async () => ({ ...worldAt(place), close: async () => {} }),
  });
  beforeEach(async () => {
    place = await openTestPlace('mount');
    stage = await openFileStage(subject());
  });
  afterEach(async () => {
    await stage.close();
    await place.close();
  });

  const finding = async () => (await stage.engine.check(stage.service, stage.ctx))[0];

  it('is not used before it was prepared', async () => {
    await expect(stage.open()).rejects.toThrow(/was not prepared on this server/);
  });

  it('takes the mark that another server left', async () => {
    expect(await stage.prepare()).toEqual([expect.stringContaining('mark the tree at')]);
    const other = await openFileStage(subject());
    try {
      expect(await other.prepare()).toEqual([expect.stringContaining('take the tree that another server has marked')]);
      await stage.session((store) => store.put('object', [Buffer.from('x')]));
      await other.session(async (store) => expect(await store.stat('object')).toEqual({ name: 'object', size: 1 }));
    } finally {
      await other.close();
    }
  });

  it('is not taken from the root file system unless that is said', async () => {
    const dir = await mkdtemp('/var/tmp/aegir-local-');
    try {
      const at = (settings: Record<string, string>) =>
        stage.with({ settings: { path: dir, ...settings }, secrets: {} });
      const refused = stage.engine.prepare(at({}), stage.ctx);
      await expect(refused).rejects.toThrow(/nothing is mounted there, it lies on the root file system.*local=true/);
      expect(await stage.engine.prepare(at({ local: 'true' }), stage.ctx)).toHaveLength(1);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('tells of a path that is not there', async () => {
    const service = stage.with({ settings: { path: join(tmpdir(), 'aegir-no-such-place') }, secrets: {} });
    await expect(stage.engine.prepare(service, stage.ctx)).rejects.toThrow(
      /^(?!.*verify).*there is no such directory on this server; make it and mount there/,
    );
  });

  it.skipIf(!isRoot)('refuses when nothing is mounted any more, and fills nothing up', async () => {
    await stage.prepare();
    await stage.session((store) => store.put('object', [Buffer.from('x')]));
    const open = await stage.open();
    await run('umount', ['--lazy', place.path]);
    // What is under way stays with what was mounted.
    await open.put('late', [Buffer.from('x')]);
    await open.close();
    expect(await readdir(place.path)).toEqual([]);
    const local = { ...stage.service.settings, local: 'true' };
    for (const settings of [stage.service.settings, local]) {
      const service = stage.with({ settings, secrets: {} });
      await expect(stage.open(service)).rejects.toThrow(settings === local ? /without our mark/ : /nothing is mounted/);
      await expect(stage.engine.prepare(service, stage.ctx)).rejects.toMatchObject({ code: 'failed_precondition' });
    }
    expect(await finding()).toMatchObject({ level: 'error', text: expect.stringMatching(/nothing is mounted there/) });
    expect(await readdir(place.path)).toEqual([]);
  });

  it.skipIf(!isRoot)('refuses another tree in its place', async () => {
    await stage.prepare();
    await run('mount', ['-t', 'tmpfs', 'tmpfs', place.path]);
    try {
      expect(await finding()).toMatchObject({
        level: 'error',
        text: expect.stringMatching(/a tree without our mark \(now tmpfs tmpfs, prepared was tmpfs tmpfs\)/),
      });
      const other = await openFileStage(subject());
      await other.prepare();
      await other.close();
      expect(await finding()).toMatchObject({ level: 'error', text: expect.stringMatching(/it is another tree/) });
      expect(await readdir(place.path)).toEqual([MARK]);
    } finally {
      await run('umount', ['--lazy', place.path]);
    }
    expect(await finding()).toMatchObject({ level: 'ok' });
  });
});

if (!isRoot) console.warn('SKIPPED: mounts that go away or are replaced (root is needed to mount)');
