// Whether the path of a mount service is the tree that it was when it was prepared: a mark lies in the tree, and its number
// is kept on this server. A mount that is gone, or another one in its place, is never taken for it.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { nameOnServer } from '../../../../shared/service-name.ts';
import type { Host } from '../../../host/host.ts';
import { mountOf, mountsSeenBy, parseMountSources } from '../../../host/mount-table.ts';
import { errnoOf, placeFailure, unlessMissing } from '../errno.ts';
import { inside, openDirectory } from '../tree-store.ts';

/** No object has such a name. */
export const MARK = '.aegir-mount';
const ALIVE_MS = 5_000;
const MARKED = /^[0-9a-f-]{36}$/;

export interface Place {
  readonly path: string;
  /** It may lie on the file system of "/". */
  readonly local: boolean;
}

/** What is kept on this server of a service. */
interface Kept {
  readonly path: string;
  readonly mark: string;
  /** What was mounted, for people, such as "nfs4 nas:/backup". */
  readonly source: string;
}

export interface Opened {
  readonly root: FileHandle;
  /** Number of the tree; undefined when it has none yet. */
  readonly mark: string | undefined;
  readonly source: string;
}

/** Opens the directory, which pins what is mounted, and looks at what it is. */
export async function openPlace(place: Place, host: Host): Promise<Opened> {
  const { path } = place;
  await answers(path, host);
  let root: FileHandle | undefined;
  try {
    root = await openDirectory(path);
    const { dev } = await root.stat();
    if (!place.local && dev === (await stat('/')).dev) {
      throw new AegirError(
        'failed_precondition',
        `cannot use ${path}: nothing is mounted there, it lies on the root file system; mount it, or, if that is meant, ` +
          'declare it with --set local=true',
      );
    }
    return { root, mark: await readMark(root), source: await sourceOf(path) };
  } catch (thrown) {
    await root?.close();
    if (errnoOf(thrown) === 'ENOENT') {
      // Nothing of ours makes it: to verify the service would only say so again.
      throw new AegirError(
        'failed_precondition',
        `cannot use ${path}: there is no such directory on this server; make it and mount there what it is for`,
        { cause: thrown },
      );
    }
    throw placeFailure(thrown, 'use it', path);
  }
}

/** Refuses a tree that is not the one that was prepared. */
export async function openPrepared(service: ServiceRef, place: Place, host: Host): Promise<FileHandle> {
  const kept = await recall(service, place, host);
  if (kept === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot use ${place.path}: it was not prepared on this server; run: aegir service verify SERVER/${nameOnServer(service)}`,
    );
  }
  const { root, mark, source } = await openPlace(place, host);
  if (mark === kept.mark) return root;
  await root.close();
  throw otherTree(place, kept, mark, source);
}

/** What is to be done so that it is prepared; undefined when it is. Throws when another tree is there than was. */
export async function lookAt(
  service: ServiceRef,
  place: Place,
  host: Host,
): Promise<{ readonly mark: string | undefined; readonly source: string } | undefined> {
  const kept = await recall(service, place, host);
  const { root, mark, source } = await openPlace(place, host);
  await root.close();
  if (kept === undefined) return { mark, source };
  if (mark !== kept.mark) throw otherTree(place, kept, mark, source);
  return undefined;
}

/** Marks the tree unless another server has, and keeps its number here. */
export async function adopt(service: ServiceRef, place: Place, host: Host): Promise<void> {
  const { root, mark, source } = await openPlace(place, host);
  try {
    const number = mark ?? (await leaveMark(root));
    const kept: Kept = { path: place.path, mark: number, source };
    await host.files.directory(keptIn(host), { mode: 0o700 });
    await host.files.write(keptAt(service, host), `${JSON.stringify(kept)}\n`, { mode: 0o600 });
  } catch (thrown) {
    throw placeFailure(thrown, 'mark the tree', place.path);
  } finally {
    await root.close();
  }
}

function otherTree(place: Place, kept: Kept, mark: string | undefined, source: string): AegirError {
  const what = mark === undefined ? 'a tree without our mark' : 'another tree';
  return new AegirError(
    'failed_precondition',
    `cannot use ${place.path}: it is ${what} (now ${source}, prepared was ${kept.source}); mount the right one, or, if ` +
      `the new one is meant, remove the service and declare it again`,
  );
}

/** Two servers may do it at once: the one that comes second takes the mark of the first. */
async function leaveMark(root: FileHandle): Promise<string> {
  const mark = randomUUID();
  try {
    const handle = await open(inside(root, MARK), 'wx', 0o644);
    try {
      await handle.writeFile(`${mark}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await root.sync();
    return mark;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    const theirs = await readMark(root);
    if (theirs !== undefined) return theirs;
    throw new AegirError('aborted', `cannot mark the tree: another server is at it; try again`);
  }
}

async function readMark(root: FileHandle): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await unlessMissing(open(inside(root, MARK), flags));
  if (handle === undefined) return undefined;
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(100), 0, 100, 0);
    const text = buffer.toString('utf8', 0, bytesRead).trim();
    return MARKED.test(text) ? text : undefined;
  } finally {
    await handle.close();
  }
}

/** By a program, which may hang alone: a thread of ours would hang with it. */
async function answers(path: string, host: Host): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => resolve('late'), 2 * ALIVE_MS);
  try {
    const asked = host.run({ argv: ['stat', '--file-system', '--', path], timeoutMs: ALIVE_MS });
    const answer = await Promise.race([asked.catch((thrown: AegirError) => thrown), promise]);
    const late = answer === 'late' || (answer instanceof AegirError && answer.code === 'deadline_exceeded');
    if (late) {
      throw new AegirError(
        'unavailable',
        `cannot use ${path}: it does not answer within ${ALIVE_MS / 1000} s, as when the server of a mount is gone`,
      );
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The innermost mount that holds the path, as "type source". */
export async function sourceOf(path: string): Promise<string> {
  const text = await mountsSeenBy(undefined).catch(() => '');
  return mountOf(parseMountSources(text), path)?.source ?? 'something';
}

/** Of this service at this path; another path is another tree. */
async function recall(service: ServiceRef, place: Place, host: Host): Promise<Kept | undefined> {
  const text = await host.files.read(keptAt(service, host));
  if (text === undefined) return undefined;
  const kept = JSON.parse(text) as Kept;
  return kept.path === place.path ? kept : undefined;
}

function keptIn({ paths }: Host): string {
  return join(paths.state, 'mounts');
}

function keptAt(service: ServiceRef, host: Host): string {
  return join(keptIn(host), `${service.id}.json`);
}
