// Since when the pages of a tree's file system were clean: what a program writes through memory that it has mapped moves a
// file's times with the first store to a clean page alone (mmap(2)), so that a file changed before then may go on to change
// unseen, and what was read of it must not be known by its times.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Libc } from './libc.ts';

/**
 * So long what was found then is as good: files that changed since are read again each time. A move's last pass, for which
 * visitors wait, follows the one before by less, or has little to write.
 */
const AGAIN_MS = 60_000;
/** Clocks of file systems lag behind by a tick, and may be another host's. */
const MARGIN_NS = 1_000_000_000n;
const NEVER = 0n;

/**
 * Nanoseconds since 1970: a file whose last change is older tells each later one by its times. path: where it is noted, of one
 * tree; root: that tree, open. wait: writes to the disk what waits to be, when that was not done for a while; otherwise
 * answers of what was done before, 0n when it was not.
 */
export function cleanSince(path: string, root: number, now: () => number, wait: boolean, libc: () => Libc): bigint {
  const at = now();
  const noted = read(path);
  // One that lies ahead is of a clock that was set back: later changes could look older.
  if (noted !== undefined && noted <= at && (at - noted < AGAIN_MS || !wait)) return toNs(noted);
  if (!wait) return NEVER;
  libc().syncFileSystem(root);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${at}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return toNs(at);
}

function toNs(ms: number): bigint {
  return BigInt(Math.floor(ms)) * 1_000_000n - MARGIN_NS;
}

function read(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'latin1');
    return /^\d{13}\n$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}
