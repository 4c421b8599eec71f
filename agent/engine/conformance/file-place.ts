// A directory for tests of file engines that can be made read-only and full: a small file system in memory where root may
// mount one, a plain directory otherwise.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { FileWorld } from './file-stage.ts';

const run = promisify(execFile);
const SIZE = 6 * 1024 * 1024;

export interface TestPlace extends Pick<FileWorld, 'plant' | 'close'> {
  readonly path: string;
  readonly readOnly?: (on: boolean) => Promise<void>;
  readonly tooMuch?: number;
  /** Files below a directory, by their path there. */
  files(below?: string): Promise<readonly string[]>;
}

export const isRoot = process.geteuid?.() === 0;

/** owner: whose it is. */
export async function openTestPlace(name: string, owner?: { uid: number; gid: number }): Promise<TestPlace> {
  const base = await mkdtemp(join(tmpdir(), `aegir-${name}-`));
  await chmod(base, 0o711);
  const path = join(base, 'place');
  await mkdir(path, { mode: 0o755 });
  const mounted = isRoot && (await mount(path));
  if (owner !== undefined && isRoot) await run('chown', [`${owner.uid}:${owner.gid}`, path]);
  const files = async (below = path): Promise<readonly string[]> => {
    const entries = await readdir(below, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(below.length + 1))
      .sort();
  };
  return {
    path,
    files,
    plant: async (at) => {
      await mkdir(dirname(join(path, at)), { recursive: true });
      await writeFile(join(path, at), 'not yours');
    },
    ...(mounted
      ? {
          tooMuch: 2 * SIZE,
          readOnly: async (on: boolean) => void (await run('mount', ['-o', `remount,${on ? 'ro' : 'rw'}`, path])),
        }
      : {}),
    async close() {
      // A test may have done it before.
      if (mounted) await run('umount', ['--lazy', path]).catch(() => {});
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function mount(path: string): Promise<boolean> {
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0755`, 'tmpfs', path]);
    return true;
  } catch {
    return false;
  }
}
