// Packs logs that were put aside, once nobody writes to them and all was counted, and removes old ones.
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type LogName, parseAside } from './log-names.ts';
import { isReadWhole } from './read-logs.ts';
import type { UsageTable } from './usage-table.ts';

/** A worker of before the reload writes until its last request ends. */
const QUIET_MS = 3_600_000;
export const KEEP_DAYS = 14;
/** Of each log, whatever their age: a flood of requests shall not fill the disk. */
const KEEP_FILES = 30;
const DAY_MS = 86_400_000;
/** Agents before this one left it to logrotate. */
const OF_LOGROTATE = /^(?:access|error|php)\.log\.\d{1,3}(?:\.gz)?$/;

export async function packLogs(siteId: string, directory: string, table: UsageTable, now: number): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const kept = new Map<LogName, number>();
  for (const name of [...names].sort().reverse()) {
    const path = join(directory, name);
    if (/\.gz\.part$/.test(name)) {
      await rm(path, { force: true }); // of a crash
      continue;
    }
    if (OF_LOGROTATE.test(name)) {
      if ((await lstat(path)).mtimeMs < now - KEEP_DAYS * DAY_MS) await rm(path, { force: true });
      continue;
    }
    const aside = parseAside(name);
    if (aside === undefined) continue;
    const count = (kept.get(aside.log) ?? 0) + 1;
    kept.set(aside.log, count);
    if (aside.at < now - KEEP_DAYS * DAY_MS || count > KEEP_FILES) {
      await rm(path, { force: true });
    } else if (!aside.packed && (await isQuiet(path, now))) {
      if (aside.log === 'access.log' && !(await isReadWhole(siteId, path, table))) continue;
      await pack(path);
    }
  }
}

async function isQuiet(path: string, now: number): Promise<boolean> {
  const stats = await lstat(path);
  return stats.isFile() && stats.mtimeMs < now - QUIET_MS;
}

/** The packed one is whole before the other goes. */
async function pack(path: string): Promise<void> {
  const part = `${path}.gz.part`;
  const { mode, uid, gid } = await lstat(path);
  await pipeline(createReadStream(path), createGzip({ level: 6 }), createWriteStream(part, { mode: 0o600 }));
  const handle = await open(part, 'r');
  try {
    if (process.geteuid?.() === 0) await handle.chown(uid, gid);
    await handle.chmod(mode & 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, `${path}.gz`);
  await rm(path, { force: true });
}
