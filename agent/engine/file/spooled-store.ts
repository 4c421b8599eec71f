// Stores behind programs that carry files: objects pass through the scratch directory on their way. What differs between
// services is their Carrier.
import { access } from 'node:fs/promises';
import type { ObjectStore, StoredObject } from '../engine.ts';
import type { Scratch, Spooled } from './scratch.ts';
import { missing } from './tree-store.ts';

/** Carries objects between files of the scratch directory and the service. */
export interface Carrier {
  readonly maxObjectBytes: number;
  /** For messages: what and where the service is. */
  readonly where: string;
  /** Takes the file over: removes it once it is not needed any more. */
  put(name: string, file: Spooled): Promise<void>;
  /** Into a file that is not there yet; false when there is no such object. */
  get(name: string, path: string): Promise<boolean>;
  /** Each into its file, by name; those that are not there are left out. When it throws, no file counts. */
  bring?(files: ReadonlyMap<string, string>): Promise<void>;
  stat(name: string): Promise<StoredObject | undefined>;
  present(names: readonly string[]): Promise<readonly boolean[]>;
  list(prefix: string): Promise<readonly StoredObject[]>;
  remove(name: string): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Files of objects that were brought along and nobody got yet; the oldest go then. */
const MOST_BROUGHT = 128;

export function createSpooledStore(carrier: Carrier, scratch: Scratch): ObjectStore {
  const brought = new Map<string, string>();
  const forget = async (name: string): Promise<void> => {
    const path = brought.get(name);
    brought.delete(name);
    if (path !== undefined) await scratch.discard(path);
  };
  const bring = async (names: readonly string[]): Promise<void> => {
    const files = new Map(names.filter((name) => !brought.has(name)).map((name) => [name, scratch.fresh()]));
    if (files.size === 0) return;
    try {
      await carrier.bring?.(files);
    } catch (thrown) {
      for (const path of files.values()) await scratch.discard(path);
      throw thrown;
    }
    for (const [name, path] of files) if (await isThere(path)) brought.set(name, path);
    for (const name of [...brought.keys()].slice(0, Math.max(0, brought.size - MOST_BROUGHT))) await forget(name);
  };
  return {
    maxObjectBytes: carrier.maxObjectBytes,
    ...(carrier.bring === undefined ? {} : { bring }),
    async put(name, content) {
      await carrier.put(name, await scratch.spool(content));
      await forget(name);
    },
    async *get(name) {
      const there = brought.get(name);
      if (there !== undefined) {
        brought.delete(name);
        yield* scratch.drain(there);
        return;
      }
      const path = scratch.fresh();
      try {
        if (!(await carrier.get(name, path))) throw missing(name, carrier.where);
        yield* scratch.drain(path);
      } finally {
        await scratch.discard(path);
      }
    },
    stat: (name) => carrier.stat(name),
    present: (names) => carrier.present(names),
    async *list(prefix) {
      yield* await carrier.list(prefix);
    },
    async remove(name) {
      await carrier.remove(name);
      await forget(name);
    },
    flush: () => carrier.flush(),
    async close() {
      try {
        await carrier.close();
      } finally {
        await scratch.remove();
      }
    },
  };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Time for a program that carries so many bytes: a minute, and as long as 64 KiB a second take. */
export function carryMs(bytes: number): number {
  return 60_000 + Math.ceil(bytes / 65.536);
}
