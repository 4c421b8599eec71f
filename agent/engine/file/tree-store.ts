// Objects as files below one directory of this server. The directory is held open and everything is reached through the
// descriptors of directories, no link followed: what is unmounted, or replaced by a link, is never written past.
// What is put waits under a temporary name; flush makes all of it durable at once, then moves it to its names.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { AegirError } from '../../../shared/error.ts';
import { type SyncAll, syncAllOf } from '../../host/sync-file-system.ts';
import type { ObjectStore, StoredObject } from '../engine.ts';
import { atOnce } from './at-once.ts';
import { createCalls } from './calls.ts';
import { errnoOf, placeFailure, unlessMissing } from './errno.ts';
import { isObjectName, isStale, mayHold, partsOf, temporaryName } from './object-name.ts';

const MAX_OBJECT = 64 * 1024 ** 3;
const PIECE = 256 * 1024;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Calls of the file system on their way at once, of those that need not be in order. */
const MOST_CALLS = 32;

export interface TreeOptions {
  /** Open directory that holds the objects; closed with the store. */
  readonly root: FileHandle;
  /** Its path, for messages. */
  readonly where: string;
  /** Most bytes of all objects; 0 for as many as there is room for. */
  readonly quotaBytes?: number;
  /** Longest time of one call of the file system. */
  readonly withinMs?: number;
  /** Of its file system; undefined: each file and directory by itself. */
  readonly syncAll: SyncAll | undefined;
}

interface Waiting {
  readonly temporary: string;
  readonly size: number;
}

export function openDirectory(path: string): Promise<FileHandle> {
  return open(path, DIRECTORY);
}

/** Path of what lies in an open directory. */
export function inside(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** Takes the directory over: closes it also when it throws. */
export async function openTreeStore(options: Omit<TreeOptions, 'syncAll'>): Promise<ObjectStore> {
  try {
    return createTreeStore({ ...options, syncAll: await syncAllOf(options.root) });
  } catch (thrown) {
    await options.root.close();
    throw placeFailure(thrown, 'open the store', options.where);
  }
}

export function createTreeStore(options: TreeOptions): ObjectStore {
  const { root, where, quotaBytes = 0, syncAll } = options;
  const call = createCalls(where, options.withinMs);
  let used: Promise<number> | undefined;
  /** Put and not flushed, by name; undefined for what is to go. */
  const waiting = new Map<string, Waiting | undefined>();

  /** Runs act with the directory open; undefined when it is not there. */
  const within = async <T>(
    dirs: readonly string[],
    make: boolean,
    act: (directory: FileHandle) => Promise<T>,
  ): Promise<T | undefined> => {
    const opened: FileHandle[] = [];
    let at = root;
    try {
      for (const dir of dirs) {
        const path = inside(at, dir);
        let next = await unlessMissing(call(() => open(path, DIRECTORY)));
        if (next === undefined) {
          if (!make) return undefined;
          await call(() => mkdir(path, { mode: 0o700 })).catch((thrown) => {
            if (errnoOf(thrown) !== 'EEXIST') throw thrown;
          });
          if (syncAll === undefined) await call(() => at.sync());
          next = await call(() => open(path, DIRECTORY));
        }
        opened.push(next);
        at = next;
      }
      return await act(at);
    } finally {
      for (const handle of opened) await handle.close();
    }
  };

  async function* walk(directory: FileHandle, above: string, prefix: string): AsyncIterable<StoredObject> {
    const entries = await call(() => readdir(inside(directory, '.'), { withFileTypes: true }));
    const named = entries.map((entry) => ({ entry, name: above === '' ? entry.name : `${above}/${entry.name}` }));
    const files = named.filter(({ entry, name }) => entry.isFile() && isObjectName(name) && name.startsWith(prefix));
    const sized = await atOnce(files, MOST_CALLS, async ({ entry, name }) => ({
      name,
      size: await sizeIn(directory, entry.name),
    }));
    for (const { name, size } of sized) if (size !== undefined) yield { name, size };
    for (const { entry, name } of named) {
      if (!entry.isDirectory() || !isObjectName(name) || !mayHold(name, prefix)) continue;
      const below = await unlessMissing(call(() => open(inside(directory, entry.name), DIRECTORY)));
      if (below === undefined) continue;
      try {
        yield* walk(below, name, prefix);
      } finally {
        await below.close();
      }
    }
  }

  /** undefined when there is no such file. */
  const sizeIn = async (directory: FileHandle, leaf: string): Promise<number | undefined> => {
    const facts = await unlessMissing(call(() => lstat(inside(directory, leaf))));
    return facts?.isFile() === true ? facts.size : undefined;
  };

  const room = async (more: number, name: string): Promise<void> => {
    if (quotaBytes === 0) return;
    used ??= total(walk(root, '', ''));
    if ((await used) + more <= quotaBytes) return;
    throw new AegirError(
      'resource_exhausted',
      `cannot put object ${name}: ${where} would hold more than its quota of ${quotaBytes} bytes; make room, or raise the quota`,
    );
  };
  const count = (more: number): void => {
    used = used?.then((bytes) => bytes + more);
  };
  const drop = (temporary: string) => unlessMissing(call(() => unlink(inside(root, temporary))));

  const put: ObjectStore['put'] = async (name, content) => {
    const before = quotaBytes === 0 ? 0 : ((await stat(name))?.size ?? 0);
    const temporary = temporaryName(Date.now(), randomBytes(8).toString('hex'));
    const handle = await call(() => open(inside(root, temporary), 'wx', 0o600));
    let size = 0;
    try {
      try {
        for await (const piece of content) {
          size += piece.length;
          await room(size - before, name);
          await call(() => handle.writeFile(piece));
        }
        if (syncAll === undefined) await call(() => handle.sync());
      } finally {
        await handle.close();
      }
    } catch (thrown) {
      await drop(temporary).catch(() => {});
      throw thrown;
    }
    const former = waiting.get(name);
    waiting.set(name, { temporary, size });
    count(size - before);
    if (former !== undefined) await drop(former.temporary);
  };

  const stat: ObjectStore['stat'] = async (name) => {
    if (waiting.has(name)) {
      const size = waiting.get(name)?.size;
      return size === undefined ? undefined : { name, size };
    }
    const { dirs, leaf } = partsOf(name);
    const size = await within(dirs, false, (directory) => sizeIn(directory, leaf));
    return size === undefined ? undefined : { name, size };
  };

  const opened = async (name: string): Promise<FileHandle | undefined> => {
    const own = waiting.get(name);
    if (own === undefined && waiting.has(name)) return undefined;
    const { dirs, leaf } = own === undefined ? partsOf(name) : { dirs: [], leaf: own.temporary };
    return within(dirs, false, (directory) => unlessMissing(call(() => open(inside(directory, leaf), FILE))));
  };

  const remove: ObjectStore['remove'] = async (name) => {
    const size = quotaBytes === 0 ? undefined : (await stat(name))?.size;
    const former = waiting.get(name);
    waiting.set(name, undefined);
    count(-(size ?? 0));
    if (former !== undefined) await drop(former.temporary);
  };

  const move = async (name: string, { temporary }: Waiting): Promise<void> => {
    const { dirs, leaf } = partsOf(name);
    const place = () =>
      within(dirs, true, async (directory) => {
        await call(() => rename(inside(root, temporary), inside(directory, leaf)));
        if (syncAll === undefined) await call(() => directory.sync());
      });
    // Somebody who removed the last object of a directory may take the directory away in between: once more.
    await place().catch((thrown) =>
      errnoOf(thrown) === 'ENOENT' && dirs.length > 0 ? place() : Promise.reject(thrown),
    );
  };

  const take = async (name: string): Promise<void> => {
    const { dirs, leaf } = partsOf(name);
    await within(dirs, false, async (directory) => {
      await unlessMissing(call(() => unlink(inside(directory, leaf))));
      if (syncAll === undefined) await call(() => directory.sync());
    });
    for (let depth = dirs.length; depth > 0; depth -= 1) {
      const dir = dirs[depth - 1] ?? '';
      const gone = await within(dirs.slice(0, depth - 1), false, (directory) =>
        call(() => rmdir(inside(directory, dir))).then(
          () => true,
          () => false,
        ),
      );
      if (gone !== true) break;
    }
  };

  const flush = async (): Promise<void> => {
    const due = [...waiting];
    if (due.some(([, put]) => put !== undefined)) await syncAll?.sync();
    await atOnce(due, MOST_CALLS, async ([name, put]) => {
      await (put === undefined ? take(name) : move(name, put));
      if (waiting.get(name) === put) waiting.delete(name);
    });
    if (due.length > 0) await syncAll?.sync();
    // Here goes what crashes left behind.
    for (const name of await call(() => readdir(inside(root, '.')))) if (isStale(name, Date.now())) await drop(name);
  };

  const told = async <T>(doing: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (thrown) {
      throw placeFailure(thrown, doing, where);
    }
  };

  return {
    maxObjectBytes: MAX_OBJECT,
    // Two at once would both be told that there is room for one.
    ...(quotaBytes === 0 ? { overlapping: true } : {}),
    put: (name, content) => told(`put object ${name}`, () => put(name, content)),
    async *get(name) {
      const handle = await told(`get object ${name}`, () => opened(name));
      if (handle === undefined) throw missing(name, where);
      try {
        if (!(await handle.stat()).isFile()) throw missing(name, where);
        for (;;) {
          const buffer = Buffer.allocUnsafe(PIECE);
          const { bytesRead } = await told(`get object ${name}`, () => call(() => handle.read(buffer, 0, PIECE)));
          if (bytesRead === 0) return;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await handle.close();
      }
    },
    stat: (name) => told(`look for object ${name}`, () => stat(name)),
    present: (names) =>
      told('look for objects', () => atOnce(names, MOST_CALLS, async (name) => (await stat(name)) !== undefined)),
    async *list(prefix) {
      try {
        for await (const object of walk(root, '', prefix)) if (!waiting.has(object.name)) yield object;
      } catch (thrown) {
        throw placeFailure(thrown, 'list objects', where);
      }
      for (const [name, put] of waiting) {
        if (put !== undefined && name.startsWith(prefix)) yield { name, size: put.size };
      }
    },
    remove: (name) => told(`remove object ${name}`, () => remove(name)),
    flush: () => told('flush the store', flush),
    async close() {
      for (const put of waiting.values()) if (put !== undefined) await drop(put.temporary).catch(() => {});
      waiting.clear();
      await syncAll?.close();
      await root.close();
    },
  };
}

export function missing(name: string, where: string): AegirError {
  return new AegirError('not_found', `cannot get object ${name}: ${where} does not have it`);
}

async function total(objects: AsyncIterable<StoredObject>): Promise<number> {
  let sum = 0;
  for await (const { size } of objects) sum += size ?? 0;
  return sum;
}
