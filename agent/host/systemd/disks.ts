// Disks as the agent's unit lets it see them: systemd puts parts of a file system over themselves (/usr and /home
// read-only, an own /tmp), and each shows as a mount.
import { stat } from 'node:fs/promises';
import type { DiskUsage } from '../host.ts';

/** The number of the file system at a path; undefined when it does not answer. */
export type DeviceOf = (path: string) => Promise<number | undefined>;

/** Each file system once, by its first mount. Network ones stay as they are: to ask a dead one can take for ever. */
export async function eachOnce(
  disks: readonly DiskUsage[],
  deviceOf: DeviceOf = statDevice,
): Promise<readonly DiskUsage[]> {
  const seen = new Set<number>();
  const kept: DiskUsage[] = [];
  for (const disk of disks) {
    const device = disk.network ? undefined : await deviceOf(disk.mount);
    if (device !== undefined && seen.has(device)) continue;
    if (device !== undefined) seen.add(device);
    kept.push(disk);
  }
  return kept;
}

async function statDevice(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev;
  } catch {
    return undefined; // unmounted meanwhile
  }
}
