// What holds of every store without a place: bounds, and what runs as whom.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFakeHost } from '../../host/fake.ts';
import type { ObjectStore } from '../engine.ts';
import { createCalls } from './calls.ts';
import { createCheckedStore } from './checked-store.ts';
import { createScratches } from './scratch.ts';
import { createTreeStore, openDirectory } from './tree-store.ts';

function memoryStore(): ObjectStore & { readonly objects: Map<string, number> } {
  const objects = new Map<string, number>();
  return {
    objects,
    maxObjectBytes: 1000,
    async put(name, content) {
      let size = 0;
      for await (const piece of content) size += piece.length;
      objects.set(name, size);
    },
    get: () => (async function* () {})(),
    stat: async () => undefined,
    present: async (names) => names.map(() => false),
    list: () => (async function* () {})(),
    remove: async () => {},
    flush: async () => {},
    close: async () => {},
  };
}

test('an object that is too long is refused while it comes, and nothing of it stays', async () => {
  const inner = memoryStore();
  const store = createCheckedStore(inner, new AbortController().signal);
  let given = 0;
  function* endless(): Iterable<Uint8Array> {
    for (;;) {
      given += 100;
      yield Buffer.alloc(100);
    }
  }
  await expect(store.put('object', endless())).rejects.toMatchObject({ code: 'resource_exhausted' });
  expect(given).toBe(1100);
  expect(inner.objects.size).toBe(0);
  await store.put('object', [Buffer.alloc(1000)]);
  expect(inner.objects.get('object')).toBe(1000);
});

test('where no file system can be synced as a whole, files and directories are, each by itself', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-tree-'));
  try {
    const open = async () => createTreeStore({ root: await openDirectory(dir), where: dir, syncAll: undefined });
    const writer = await open();
    await writer.put('chunks/0000/one', [Buffer.from('one')]);
    await writer.put('chunks/0001/two', [Buffer.from('two')]);
    expect(await readdir(dir)).not.toContain('chunks');
    await writer.flush();
    expect(await readdir(join(dir, 'chunks'))).toEqual(['0000', '0001']);
    await writer.remove('chunks/0000/one');
    expect(await readdir(join(dir, 'chunks'))).toEqual(['0000', '0001']);
    await writer.flush();
    await writer.put('chunks/0002/three', [Buffer.from('three')]);
    await writer.close();
    expect(await readdir(dir)).toEqual(['chunks']);
    expect(await readdir(join(dir, 'chunks'))).toEqual(['0001']);
    const reader = await open();
    expect(await reader.present(['chunks/0000/one', 'chunks/0001/two'])).toEqual([false, true]);
    await reader.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a file system that hangs is waited for once, then asked no more', async () => {
  const call = createCalls('/srv/nas', 20);
  let asked = 0;
  const hangs = () => {
    asked += 1;
    return new Promise<void>(() => {});
  };
  await expect(call(hangs)).rejects.toThrow(/\/srv\/nas: it does not answer/);
  await expect(call(hangs)).rejects.toThrow(/does not answer/);
  expect(asked).toBe(1);
});

test('on a real server, programs of file services run as a user of their own, without our environment', async () => {
  const host = createFakeHost();
  const open = createScratches();
  await host.files.directory('/var/aegir/work/file-former-start', { mode: 0o700 });
  const scratch = await open(host, new AbortController().signal);
  expect(host.tree.has('/var/aegir/work/file-former-start')).toBe(false);
  await scratch.write('key', 'secret');
  expect(host.tree.get(scratch.dir)).toMatchObject({ mode: 0o700, owner: 'aegir-file' });
  expect(host.tree.get(scratch.path('key'))).toMatchObject({ mode: 0o600, owner: 'aegir-file' });
  await scratch.run({ argv: ['git', 'version'], env: { GIT_DIR: 'x' } });
  expect(host.commands).toMatchObject([
    { user: 'aegir-file', cwd: scratch.dir, env: { HOME: scratch.dir, GIT_DIR: 'x' } },
  ]);
  expect(Object.keys(host.commands[0]?.env ?? {}).sort()).toEqual(['GIT_DIR', 'HOME', 'LC_ALL', 'PATH', 'TMPDIR']);
  await scratch.remove();
  expect(host.tree.has(scratch.path('key'))).toBe(false);
});
