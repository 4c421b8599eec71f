// What sftp and scp have in common: one ssh session, a directory on the other side, unfinished objects beside the others
// until they are renamed. What differs is how files are carried and names are changed: their RemoteWay.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore, StoredObject } from '../engine.ts';
import { directoriesOf, isStale, temporaryName } from './object-name.ts';
import type { Scratch } from './scratch.ts';
import { createSpooledStore } from './spooled-store.ts';
import type { Ssh } from './ssh.ts';

const MAX_OBJECT = 64 * 1024 ** 3;

/** Paths are relative to the directory of the service. Each throws AegirError. */
export interface RemoteWay {
  /** Throws when the directory is not there. */
  check(): Promise<void>;
  /** Makes directories (parents first; those that are there stay), carries the file to temporary, renames it. */
  put(file: string, size: number, temporary: string, dirs: readonly string[], name: string): Promise<void>;
  /** False when there is no such file. */
  get(name: string, file: string): Promise<boolean>;
  stat(name: string): Promise<StoredObject | undefined>;
  list(prefix: string): Promise<readonly StoredObject[]>;
  /** Removes the file if it is there, then the directories that are empty, the innermost first. */
  remove(name: string, dirs: readonly string[]): Promise<void>;
  /** Names in the directory itself. */
  names(): Promise<readonly string[]>;
}

export async function openRemote(ssh: Ssh, way: RemoteWay, scratch: Scratch): Promise<ObjectStore> {
  try {
    await way.check();
  } catch (thrown) {
    await ssh.close();
    throw thrown;
  }
  return createSpooledStore(
    {
      maxObjectBytes: MAX_OBJECT,
      where: ssh.where,
      async put(name, { path, size }) {
        const temporary = temporaryName(Date.now(), randomBytes(8).toString('hex'));
        try {
          await way.put(path, size, temporary, directoriesOf([name]), name);
        } catch (thrown) {
          await way.remove(temporary, []).catch(() => {});
          throw thrown;
        } finally {
          await scratch.discard(path);
        }
      },
      get: way.get,
      stat: way.stat,
      list: way.list,
      remove: (name) => way.remove(name, [...directoriesOf([name])].reverse()),
      // Each call is durable when it resolves; here goes what crashes left behind.
      async flush() {
        for (const name of await way.names()) if (isStale(name, Date.now())) await way.remove(name, []);
      },
      close: () => ssh.close(),
    },
    scratch,
  );
}

/** Runs a program that may take too long because nobody answers. */
export async function inTime<T>(doing: string, where: string, run: Promise<T>): Promise<T> {
  try {
    return await run;
  } catch (thrown) {
    if (!(thrown instanceof AegirError)) throw thrown;
    if (thrown.code === 'deadline_exceeded') {
      throw new AegirError('unavailable', `cannot ${doing}: ${where} did not answer in time`, { cause: thrown });
    }
    if (thrown.code === 'not_found') throw new AegirError('failed_precondition', thrown.message, { cause: thrown });
    throw thrown;
  }
}

/** A line of ls -ln: mode, links, owner, group, size, three words of time, name. */
export function listed(
  line: string,
): { readonly kind: string; readonly size: number; readonly name: string } | undefined {
  const [, kind, size, name] =
    /^([-dl])\S+\s+\S+\s+\S+\s+\S+\s+([0-9]+)\s+\S+\s+\S+\s+\S+\s+(.+)$/.exec(line.trim()) ?? [];
  return kind === undefined || size === undefined || name === undefined
    ? undefined
    : { kind, size: Number(size), name };
}
