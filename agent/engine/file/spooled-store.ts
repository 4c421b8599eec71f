// Stores behind programs that carry files: objects pass through the scratch directory on their way. What differs between
// services is their Carrier.
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
  stat(name: string): Promise<StoredObject | undefined>;
  present(names: readonly string[]): Promise<readonly boolean[]>;
  list(prefix: string): Promise<readonly StoredObject[]>;
  remove(name: string): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

export function createSpooledStore(carrier: Carrier, scratch: Scratch): ObjectStore {
  return {
    maxObjectBytes: carrier.maxObjectBytes,
    put: async (name, content) => carrier.put(name, await scratch.spool(content)),
    async *get(name) {
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
    remove: (name) => carrier.remove(name),
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

/** Time for a program that carries so many bytes: a minute, and as long as 64 KiB a second take. */
export function carryMs(bytes: number): number {
  return 60_000 + Math.ceil(bytes / 65.536);
}
