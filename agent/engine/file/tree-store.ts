// Objects as files below one directory of this server. The directory is held open and everything is reached through the
// descriptors of directories, no link followed: what is unmounted, or replaced by a link, is never written past.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore, StoredObject } from '../engine.ts';
import { createCalls } from './calls.ts';
import { errnoOf, placeFailure, unlessMissing } from './errno.ts';
import { isObjectName, isStale, mayHold, partsOf, temporaryName } from './object-name.ts';

const MAX_OBJECT = 64 * 1024 ** 3;
const PIECE = 256 * 1024;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface TreeOptions {
  /** Open directory that holds the objects; closed with the store. */
  readonly root: FileHandle;
  /** Its path, for messages. */
  readonly where: string;
  /** Most bytes of all objects; 0 for as many as there is room for. */
  readonly quotaBytes?: number;
  /** Longest time of one call of the file system. */
  readonly withinMs?: number;
}

export function openDirectory(path: string): Promise<FileHandle> {
  return open(path, DIRECTORY);
}

/** Path of what lies in an open directory. */
export function inside(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

export function createTreeStore(options: TreeOptions): ObjectStore {
  const { root, where, quotaBytes = 0 } = options;
  const call = createCalls(where, options.withinMs);
  let used: Promise<number> | undefined;

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
          await call(() => at.sync());
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
    for (const entry of await call(() => readdir(inside(directory, '.'), { withFileTypes: true }))) {
      const name = above === '' ? entry.name : `${above}/${entry.name}`;
      if (!isObjectName(name)) continue;
      if (entry.isDirectory() && mayHold(name, prefix)) {
        const below = await unlessMissing(call(() => open(inside(directory, entry.name), DIRECTORY)));
        if (below === undefined) continue;
        try {
          yield* walk(below, name, prefix);
        } finally {
          await below.close();
        }
      } else if (entry.isFile() && name.startsWith(prefix)) {
        const size = await sizeIn(directory, entry.name);
        if (size !== undefined) yield { name, size };
      }
    }
  }

  /** undefined when there is no such file. */
  const sizeIn = async (directory: FileHandle, leaf: string): Promise<number | undefined> => {
    const handle = await unlessMissing(call(() => open(inside(directory, leaf), FILE)));
    if (handle === undefined) return undefined;
    try {
      const facts = await call(() => handle.stat());
      return facts.isFile() ? facts.size : undefined;
    } finally {
      await handle.close();
    }
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

  const put: ObjectStore['put'] = async (name, content) => {
    const { dirs, leaf } = partsOf(name);
    const before = quotaBytes === 0 ? 0 : ((await stat(name))?.size ?? 0);
    const temporary = inside(root, temporaryName(Date.now(), randomBytes(8).toString('hex')));
    const handle = await call(() => open(temporary, 'wx', 0o600));
    let size = 0;
    try {
      try {
        for await (const piece of content) {
          size += piece.length;
          await room(size - before, name);
          await call(() => handle.writeFile(piece));
        }
        await call(() => handle.sync());
      } finally {
        await handle.close();
      }
      const place = () =>
        within(dirs, true, async (directory) => {
          await call(() => rename(temporary, inside(directory, leaf)));
          await call(() => directory.sync());
        });
      // Somebody who removed the last object of a directory may take the directory away in between: once more.
      await place().catch((thrown) =>
        errnoOf(thrown) === 'ENOENT' && dirs.length > 0 ? place() : Promise.reject(thrown),
      );
    } catch (thrown) {
      await unlessMissing(call(() => unlink(temporary))).catch(() => {});
      throw thrown;
    }
    count(size - before);
  };

  const stat: ObjectStore['stat'] = async (name) => {
    const { dirs, leaf } = partsOf(name);
    const size = await within(dirs, false, (directory) => sizeIn(directory, leaf));
    return size === undefined ? undefined : { name, size };
  };

  const remove: ObjectStore['remove'] = async (name) => {
    const { dirs, leaf } = partsOf(name);
    const size = quotaBytes === 0 ? undefined : (await stat(name))?.size;
    await within(dirs, false, async (directory) => {
      await unlessMissing(call(() => unlink(inside(directory, leaf))));
      await call(() => directory.sync());
    });
    count(-(size ?? 0));
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

  const told = async <T>(doing: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (thrown) {
      throw placeFailure(thrown, doing, where);
    }
  };

  return {
    maxObjectBytes: MAX_OBJECT,
    put: (name, content) => told(`put object ${name}`, () => put(name, content)),
    async *get(name) {
      const { dirs, leaf } = partsOf(name);
      const handle = await told(`get object ${name}`, () =>
        within(dirs, false, (directory) => unlessMissing(call(() => open(inside(directory, leaf), FILE)))),
      );
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
    async *list(prefix) {
      try {
        yield* walk(root, '', prefix);
      } catch (thrown) {
        throw placeFailure(thrown, 'list objects', where);
      }
    },
    remove: (name) => told(`remove object ${name}`, () => remove(name)),
    // Each call is durable when it resolves; here goes what crashes left behind.
    flush: () =>
      told('flush the store', async () => {
        const names = await call(() => readdir(inside(root, '.')));
        for (const name of names) {
          if (isStale(name, Date.now())) await unlessMissing(call(() => unlink(inside(root, name))));
        }
      }),
    close: () => root.close(),
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
