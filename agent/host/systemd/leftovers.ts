// What a site's user leaves in the directories that everybody may write to. Found from the top down, by descriptors and
// never through links in them; bounded, for whoever leaves much there could keep us for ever: what is missed is nobody's, since the
// number of its owner is given to no other user.
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, opendir, rmdir, unlink } from 'node:fs/promises';

/** atd runs a job as the owner of its file. */
const PLACES = [
  '/tmp',
  '/var/tmp',
  '/dev/shm',
  '/run/lock',
  '/var/lib/php/sessions',
  '/var/spool/cron/atjobs',
  '/var/spool/cron/atspool',
] as const;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const MAX_DEPTH = 8;
/** Looked at, in one place. */
const MAX_ENTRIES = 100_000;

export interface LeftoverOptions {
  readonly places?: readonly string[];
  readonly maxEntries?: number;
}

interface Walk {
  readonly uid: number;
  readonly device: number;
  left: number;
}

/** Removes what uid owns; what cannot be removed stays. Repeatable. */
export async function removeLeftovers(uid: number, options: LeftoverOptions = {}): Promise<void> {
  for (const place of options.places ?? PLACES) {
    // Only root can have made a link of one of these, as where /tmp lies elsewhere.
    const directory = await open(place, DIRECTORY & ~constants.O_NOFOLLOW).catch(() => undefined);
    if (directory === undefined) continue;
    try {
      const { dev } = await directory.stat();
      await sweep(directory, { uid, device: dev, left: options.maxEntries ?? MAX_ENTRIES }, MAX_DEPTH);
    } finally {
      await directory.close();
    }
  }
}

/** Files before directories, so that a deep tree hides none beside it. */
async function sweep(directory: FileHandle, walk: Walk, depth: number): Promise<void> {
  // Names are bytes: one that is no UTF-8 would be missed.
  const inside = (name: string): Buffer => Buffer.from(`/proc/self/fd/${directory.fd}/${name}`, 'latin1');
  const inner: { readonly path: Buffer; readonly ours: boolean }[] = [];
  try {
    for await (const { name } of await opendir(inside(''), { encoding: 'latin1' as BufferEncoding })) {
      if (walk.left-- <= 0) break;
      const path = inside(name);
      const facts = await lstat(path).catch(() => undefined);
      if (facts === undefined) continue;
      const ours = facts.uid === walk.uid;
      if (facts.isDirectory()) inner.push({ path, ours });
      else if (ours) await unlink(path).catch(() => {});
    }
  } catch {
    // A file system that does not answer: the next place.
  }
  for (const { path, ours } of inner) {
    if (depth > 1 && walk.left > 0) await into(path, walk, depth - 1);
    if (ours) await rmdir(path).catch(() => {}); // not empty where others have something in it
  }
}

async function into(path: Buffer, walk: Walk, depth: number): Promise<void> {
  const directory = await open(path, DIRECTORY).catch(() => undefined);
  if (directory === undefined) return;
  try {
    // Another file system is somebody's own business.
    if ((await directory.stat()).dev === walk.device) await sweep(directory, walk, depth);
  } finally {
    await directory.close();
  }
}
