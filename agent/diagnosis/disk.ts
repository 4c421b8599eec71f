// Diagnosis: space and inodes of the local file systems.
import { statfs } from 'node:fs/promises';
import type { Finding } from '../../shared/finding.ts';
import type { DiskUsage } from '../host/host.ts';

const WARN = 0.1;
const ERROR = 0.03;
const GIB = 1024 ** 3;

export async function checkDisks(disks: readonly DiskUsage[]): Promise<readonly Finding[]> {
  return Promise.all(disks.filter((disk) => disk.sizeBytes > 0).map(checkDisk));
}

async function checkDisk(disk: DiskUsage): Promise<Finding> {
  const subject = `disk:${disk.mount}`;
  const space = disk.freeBytes / disk.sizeBytes;
  // A network file system whose server is away would hang a thread of ours for good.
  const inodes = disk.network ? 1 : await freeInodes(disk.mount);
  const least = Math.min(space, inodes);
  const inodeText = inodes < 1 ? `, ${percent(inodes)} of its inodes` : '';
  const text = `${(disk.freeBytes / GIB).toFixed(1)} of ${(disk.sizeBytes / GIB).toFixed(1)} GiB free${inodeText}`;
  const code = space <= inodes ? 'disk.space' : 'disk.inodes';
  if (least >= WARN) return { subject, code: 'disk.space', level: 'ok', text };
  const advice = space <= inodes ? 'make room' : 'remove small files that are not needed';
  return { subject, code, level: least < ERROR ? 'error' : 'warning', text, advice };
}

/** Share of inodes that are free; 1 where the file system has no fixed number of them. */
async function freeInodes(mount: string): Promise<number> {
  try {
    const { files, ffree } = await statfs(mount);
    return files > 0 ? ffree / files : 1;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'EACCES') return 1; // unmounted meanwhile, or not ours to see
    throw error;
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
