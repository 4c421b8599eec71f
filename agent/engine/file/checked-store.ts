// What every store keeps to, whatever is behind it: names are checked, objects bounded, nothing is done once it is closed
// or the action was cancelled. A wrapper of the same interface.
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore } from '../engine.ts';
import { checkObjectName } from './object-name.ts';

export function createCheckedStore(inner: ObjectStore, signal: AbortSignal): ObjectStore {
  let closed = false;
  const enter = (doing: string): void => {
    if (closed) throw new AegirError('failed_precondition', `cannot ${doing}: the store was closed`);
    if (signal.aborted) throw new AegirError('cancelled', `cannot ${doing}: it was cancelled`);
  };
  const bring = async (names: readonly string[]): Promise<void> => {
    for (const name of names) checkObjectName(name);
    enter('get objects');
    await inner.bring?.(names);
  };
  return {
    maxObjectBytes: inner.maxObjectBytes,
    ...(inner.overlapping === undefined ? {} : { overlapping: inner.overlapping }),
    ...(inner.bring === undefined ? {} : { bring }),
    async put(name, content) {
      enter(`put object ${checkObjectName(name)}`);
      await inner.put(name, bounded(name, content, inner.maxObjectBytes, enter));
    },
    async *get(name) {
      enter(`get object ${checkObjectName(name)}`);
      for await (const piece of inner.get(name)) {
        enter(`get object ${name}`);
        yield piece;
      }
    },
    async stat(name) {
      enter(`look for object ${checkObjectName(name)}`);
      return inner.stat(name);
    },
    async present(names) {
      for (const name of names) checkObjectName(name);
      enter('look for objects');
      return names.length === 0 ? [] : inner.present(names);
    },
    async *list(prefix) {
      enter('list objects');
      if (prefix.length > 500 || !/^[A-Za-z0-9._/-]*$/.test(prefix)) return;
      for await (const object of inner.list(prefix)) {
        enter('list objects');
        yield object;
      }
    },
    async remove(name) {
      enter(`remove object ${checkObjectName(name)}`);
      await inner.remove(name);
    },
    async flush() {
      enter('flush the store');
      await inner.flush();
    },
    async close() {
      if (closed) return;
      closed = true;
      await inner.close();
    },
  };
}

async function* bounded(
  name: string,
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  most: number,
  enter: (doing: string) => void,
): AsyncIterable<Uint8Array> {
  let size = 0;
  for await (const piece of content) {
    enter(`put object ${name}`);
    size += piece.length;
    if (size > most) {
      throw new AegirError(
        'resource_exhausted',
        `cannot put object ${name}: it is longer than the ${most} bytes that this service takes at once`,
      );
    }
    yield piece;
  }
}
