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
  return rowsOf(text).map(({ path, options }) => ({
    path,
    followsLinks: !options.split(',').includes('nosymfollow'),
  }));
}

/** The same, with what is mounted there: its type and where it comes from, as "nfs4 nas:/a". */
export function parseMountSources(text: string): readonly { readonly path: string; readonly source: string }[] {
  return rowsOf(text).map(({ path, type, source }) => ({ path, source: `${type} ${source}` }));
}

/** The mount that a path without links and dots lies on; undefined only for an empty table. */
export function mountOf<T extends { readonly path: string }>(table: readonly T[], path: string): T | undefined {
  let found: T | undefined;
  for (const mount of table) {
    const holds = mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`);
    if (holds && mount.path.length >= (found?.path.length ?? 0)) found = mount;
  }
  return found;
}

/** Fields of proc_pid_mountinfo(5): some before the dash are optional. */
function rowsOf(text: string) {
  return text.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , , path, options] = left.split(' ');
    const [type = '', source = ''] = right.split(' ');
    return path === undefined || options === undefined
      ? []
      : [{ path: plainPath(path), options, type, source: plainPath(source) }];
  });
}
