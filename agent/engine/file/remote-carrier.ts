// What sftp and scp have in common: one ssh session, a directory on the other side, unfinished objects beside the others
// until they are renamed. What differs is how files are carried and names are changed: their RemoteWay.
import { randomBytes } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore, StoredObject } from '../engine.ts';
import { directoriesOf, isStale, temporaryName } from './object-name.ts';
import type { Scratch, Spooled } from './scratch.ts';
import { createSpooledStore } from './spooled-store.ts';
import type { Ssh } from './ssh.ts';

const MAX_OBJECT = 64 * 1024 ** 3;

/** A file of the scratch directory on its way: under its temporary name first. */
export interface Parcel {
  readonly file: string;
  readonly size: number;
  readonly temporary: string;
  readonly name: string;
}

/** Paths are relative to the directory of the service. Each throws AegirError. */
export interface RemoteWay {
  /** Throws when the directory is not there. */
  check(): Promise<void>;
  /** Makes directories (parents first; those that are there stay), carries all files to their temporary names, renames them. */
  put(parcels: readonly Parcel[], dirs: readonly string[]): Promise<void>;
  /** False when there is no such file. */
  get(name: string, file: string): Promise<boolean>;
  /** See Carrier. */
  bring?(files: ReadonlyMap<string, string>): Promise<void>;
  stat(name: string): Promise<StoredObject | undefined>;
  present(names: readonly string[]): Promise<readonly boolean[]>;
  list(prefix: string): Promise<readonly StoredObject[]>;
  /** Removes the files that are there, then the directories that are empty, the innermost first. */
  remove(names: readonly string[], dirs: readonly string[]): Promise<void>;
  /** Names in the directory itself. */
  names(): Promise<readonly string[]>;
}

/** What is put and removed waits for flush: a program for each object would cost more than the object. */
export async function openRemote(ssh: Ssh, way: RemoteWay, scratch: Scratch): Promise<ObjectStore> {
  try {
    await way.check();
  } catch (thrown) {
    await ssh.close();
    throw thrown;
  }
  /** Not carried yet; undefined for what is to go. */
  const staged = new Map<string, Spooled | undefined>();
  const stage = async (name: string, file: Spooled | undefined): Promise<void> => {
    const before = staged.get(name);
    staged.set(name, file);
    if (before !== undefined) await scratch.discard(before.path);
  };

  const carry = async (): Promise<void> => {
    const parcels = [...staged].flatMap(([name, file]) =>
      file === undefined
        ? []
        : [
            {
              ...{ file: file.path, size: file.size, name },
              temporary: temporaryName(Date.now(), randomBytes(8).toString('hex')),
            },
          ],
    );
    if (parcels.length === 0) return;
    try {
      await way.put(parcels, directoriesOf(parcels.map(({ name }) => name)));
    } catch (thrown) {
      await way
        .remove(
          parcels.map(({ temporary }) => temporary),
          [],
        )
        .catch(() => {});
      throw thrown;
    }
    for (const { name, file } of parcels) {
      staged.delete(name);
      await scratch.discard(file);
    }
  };

  const { bring } = way;
  return createSpooledStore(
    {
      maxObjectBytes: MAX_OBJECT,
      where: ssh.where,
      put: stage,
      ...(bring === undefined
        ? {}
        : { bring: (files) => bring(new Map([...files].filter(([name]) => !staged.has(name)))) }),
      async get(name, path) {
        const file = staged.get(name);
        if (file !== undefined) await copyFile(file.path, path);
        return file !== undefined || (!staged.has(name) && (await way.get(name, path)));
      },
      async stat(name) {
        if (!staged.has(name)) return way.stat(name);
        const size = staged.get(name)?.size;
        return size === undefined ? undefined : { name, size };
      },
      async present(names) {
        const unknown = names.filter((name) => !staged.has(name));
        const there = unknown.length === 0 ? [] : await way.present(unknown);
        const found = new Set(unknown.filter((_, at) => there[at] === true));
        return names.map((name) => found.has(name) || staged.get(name) !== undefined);
      },
      async list(prefix) {
        const there = (await way.list(prefix)).filter(({ name }) => !staged.has(name));
        const own = [...staged].flatMap(([name, file]) => (file === undefined ? [] : [{ name, size: file.size }]));
        return [...there, ...own.filter(({ name }) => name.startsWith(prefix))];
      },
      remove: (name) => stage(name, undefined),
      async flush() {
        await carry();
        const gone = [...staged.keys()];
        if (gone.length > 0) await way.remove(gone, [...directoriesOf(gone)].reverse());
        for (const name of gone) staged.delete(name);
        // Here goes what crashes left behind.
        const stale = (await way.names()).filter((name) => isStale(name, Date.now()));
        if (stale.length > 0) await way.remove(stale, []);
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
