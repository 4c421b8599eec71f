// Makes all that was written on a file system durable at once, where its kind is known to do that (of FUSE the kernel asks
// nothing when a whole file system is to be synced). Node has no syncfs(2); sync(1) has.
import type { FileHandle } from 'node:fs/promises';
import { statfs } from 'node:fs/promises';
import { AegirError } from '../../shared/error.ts';
import { ourselves, runProcess } from './process.ts';

/** Magic numbers of statfs(2): ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, NFS, overlay. */
const KNOWN: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x6969, 0x794c7630,
]);
const WITHIN_MS = 30 * 60_000;

/** What was written before on the file system is durable when it resolves. */
export type SyncAll = () => Promise<void>;

/** Of the file system of an open directory; undefined where each file needs a sync of its own. */
export async function syncAllOf(directory: FileHandle): Promise<SyncAll | undefined> {
  // By this process's descriptor: the file system that is open here, whatever is mounted at its path by now.
  const path = `/proc/${process.pid}/fd/${directory.fd}/.`;
  if (!KNOWN.has((await statfs(path)).type)) return undefined;
  return async () => {
    const argv: [string, ...string[]] = ['/usr/bin/sync', '--file-system', '--', path];
    const { code, stderr } = await runProcess({ argv, timeoutMs: WITHIN_MS }, ourselves());
    if (code === 0) return;
    throw new AegirError('internal', `cannot make files durable: ${stderr.trim().slice(-300) || `sync: ${code}`}`);
  };
}
