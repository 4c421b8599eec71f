import { stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeFileEngine } from '../../conformance/file.ts';
import { openTestPlace } from '../../conformance/file-place.ts';
import { contentOf, namesIn, openFileStage } from '../../conformance/file-stage.ts';
import { createMeshEngine } from './engine.ts';

const subject = {
  ...{ name: 'mesh', createEngine: createMeshEngine, prepares: true, detected: true, sizes: true, sweeps: true },
  async openWorld() {
    const place = await openTestPlace('mesh');
    const root = join(place.path, 'store');
    return {
      ...place,
      declared: { settings: { root, quota: '500M' }, secrets: {} },
      everything: () => place.files(root).catch(() => []),
      plant: (path: string) => place.plant(join('store', path)),
    };
  },
};
describeFileEngine(subject);

test('a quota is kept, over several connections', async () => {
  const stage = await openFileStage(subject);
  try {
    await stage.prepare();
    const service = stage.with({ settings: { ...stage.service.settings, quota: '3K' }, secrets: {} });
    const put = async (name: string, size: number) => {
      const store = await stage.open(service);
      try {
        await store.put(name, [Buffer.alloc(size)]);
        await store.flush();
      } finally {
        await store.close();
      }
    };
    await put('one', 2000);
    await expect(put('two', 2000)).rejects.toThrow(/its quota of 3072 bytes/);
    await put('one', 3000);
    expect(await stage.world.everything()).toEqual(['one']);
  } finally {
    await stage.close();
  }
});

test('a directory that is used for something else is not taken', async () => {
  const stage = await openFileStage(subject);
  try {
    await stage.world.plant('somebody/has-it');
    const root = stage.service.settings['root'] ?? '';
    await expect(stage.prepare()).rejects.toThrow(/something is there, and it is open to others/);
    expect((await stat(root)).mode & 0o777).toBe(0o755);
  } finally {
    await stage.close();
  }
});

test('no link leads out of it', async () => {
  const stage = await openFileStage(subject);
  try {
    await stage.prepare();
    const root = stage.service.settings['root'] ?? '';
    await symlink('/etc', join(root, 'etc'));
    await symlink('/etc/passwd', join(root, 'passwd'));
    await expect(stage.session((each) => each.put('etc/aegir-was-here', [Buffer.from('x')]))).rejects.toThrow(
      /a link or a file/,
    );
    const store = await stage.open();
    expect(await store.stat('etc/passwd')).toBeUndefined();
    expect(await store.stat('passwd')).toBeUndefined();
    await expect(contentOf(store, 'passwd')).rejects.toMatchObject({ code: 'not_found' });
    expect(await namesIn(store)).toEqual([]);
    await store.close();
  } finally {
    await stage.close();
  }
});
