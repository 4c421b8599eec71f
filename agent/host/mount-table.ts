// What is mounted where, as a process sees it: on which mount a path lies, and whether the kernel follows links there.
import { readFile } from 'node:fs/promises';
import { plainPath } from './mounts.ts';

export interface MountPoint {
  readonly path: string;
  /** False with the option nosymfollow: whoever opens a path there gets ELOOP for each link on the way. */
  readonly followsLinks: boolean;
}

/** Text of /proc/PID/mountinfo; the agent's own without a process, or when that has just ended. */
export async function mountsSeenBy(pid: number | undefined): Promise<string> {
  const own = () => readFile('/proc/self/mountinfo', 'utf8');
  return pid === undefined ? own() : readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(own);
}

/** In the order in which they were mounted: of two at one path, the later one is seen. */
export function parseMountTable(text: string): readonly MountPoint[] {
  const rows = text.split('\n').map((line) => line.split(' '));
  return rows.flatMap(([, , , , path, options]) => {
    if (path === undefined || options === undefined) return [];
    return [{ path: plainPath(path), followsLinks: !options.split(',').includes('nosymfollow') }];
  });
}

/** The mount that a path without links and dots lies on; undefined only for an empty table. */
export function mountOf(table: readonly MountPoint[], path: string): MountPoint | undefined {
  let found: MountPoint | undefined;
  for (const mount of table) {
    const holds = mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`);
    if (holds && mount.path.length >= (found?.path.length ?? 0)) found = mount;
  }
  return found;
}
