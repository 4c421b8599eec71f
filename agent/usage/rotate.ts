// Puts the sites' logs aside once a day, and when they are large, and has the web servers begin new ones. Not logrotate's
// work: nginx may not reopen logs in the directories of sites by itself (its master does at a reload), copies would lose
// lines, and embedded hosts have none. Renaming loses nothing: who has the old file open writes to it until the reload,
// and it is read on meanwhile.
import type { Stats } from 'node:fs';
import { lstat, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import { asideName, LOGS } from './log-names.ts';
import type { UsageTable } from './usage-table.ts';

const MOST_BYTES = 200 * 1024 * 1024;
const DAY_MS = 86_400_000;
const WEB_SERVERS = ['nginx', 'apache2'] as const;
/** What agents before this one left to logrotate. */
const LOGROTATE = '/etc/logrotate.d/aegir-sites';

export interface RotateOptions {
  readonly host: Host;
  readonly table: UsageTable;
  readonly now: () => number;
  /** A log that is larger is put aside at once. */
  readonly mostBytes?: number;
}

/** May be repeated after a crash anywhere: that a reload is due is noted before the first log is renamed. */
export async function rotateLogs(sites: readonly string[], options: RotateOptions): Promise<void> {
  const { host, table, now } = options;
  const today = Math.floor(now() / DAY_MS);
  const before = table.note('rotated-day');
  // A first start is no reason: nobody knows how old they are, and a large one goes anyway.
  const daily = before !== undefined && before !== today;
  for (const siteId of sites) await rotateSite(siteId, daily, options);
  if (table.note('reload-due') === 1) {
    for (const name of WEB_SERVERS) {
      const daemon = await host.daemon(name);
      // One that stands still opens its logs when it starts.
      if (daemon !== undefined && (await daemon.isRunning())) await daemon.reload();
    }
    table.setNote('reload-due', 0);
  }
  if (before !== today) table.setNote('rotated-day', today);
}

/** Twice rotated are twice renamed: agents and logrotate must not do it both. */
export async function retireLogrotate(host: Host): Promise<void> {
  if (host.kind !== 'systemd') return;
  const text = await host.files.read(LOGROTATE);
  if (text?.startsWith('# Written by Aegir') === true) await host.files.remove(LOGROTATE);
}

async function rotateSite(siteId: string, daily: boolean, options: RotateOptions): Promise<void> {
  const { host, table, now } = options;
  const layout = siteLayout(host.paths, siteId);
  for (const log of LOGS) {
    const path = join(layout.logs, log);
    const stats = await statOf(path);
    if (stats?.isFile() !== true || stats.size === 0) continue;
    if (!daily && stats.size < (options.mostBytes ?? MOST_BYTES)) continue;
    const aside = asideName(log, now());
    if ((await readdir(layout.logs)).some((name) => name.startsWith(aside))) continue; // twice in a second
    if (log !== 'php.log') table.setNote('reload-due', 1);
    await rename(path, join(layout.logs, aside));
  }
  await ensurePhpLog(host, siteId);
}

/** The site's user may not make it (account.ts), and PHP opens it for each line. */
async function ensurePhpLog(host: Host, siteId: string): Promise<void> {
  const { logs, user } = siteLayout(host.paths, siteId);
  const path = join(logs, 'php.log');
  if ((await statOf(logs)) === undefined || (await statOf(path)) !== undefined) return;
  if (host.kind === 'systemd' && (await host.users.lookup(user)) === undefined) return;
  await host.files.write(path, '', { mode: 0o640, owner: user, group: user });
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
