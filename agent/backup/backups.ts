// What the agent has for parts of sites: snapshots to give, restores to make, threads that work, and order kept among what
// they leave on the disk.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import { createFormer, type Former } from './former.ts';
import { createRestores, type Restores } from './restores.ts';
import { segmentsDir } from './site-owners.ts';
import { createSnapshots, namesIn, type Snapshots } from './snapshots.ts';
import { createWorkers, type Workers } from './workers.ts';

export interface Backups {
  readonly snapshots: Snapshots;
  readonly restores: Restores;
  /** What sites that moved away had here. */
  readonly former: Former;
  readonly workers: Workers;
  /** Keeps order from now on. */
  start(): void;
  close(): Promise<void>;
}

export interface BackupsOptions {
  readonly host: Host;
  readonly now: () => number;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

const SWEEP_MS = 3600 * 1000;
/** What is known of sites that nobody looked at for so long is forgotten: they may be gone. */
const FORGET_MS = 60 * 24 * 3600 * 1000;

export function createBackups({ host, now, log }: BackupsOptions): Backups {
  const workers = createWorkers();
  const snapshots = createSnapshots({ dir: join(host.paths.work, 'snapshots'), workers, now });
  const kept = join(host.paths.work, 'restores');
  const former = createFormer(kept);
  const restores = createRestores({ dir: kept, workers, former, now });
  let timer: NodeJS.Timeout | undefined;

  const sweepSegments = async () => {
    const dir = segmentsDir(host);
    for (const site of await namesIn(dir)) {
      const files = await readdir(join(dir, site));
      const times = await Promise.all(files.map(async (name) => (await stat(join(dir, site, name))).mtimeMs));
      if (now() - Math.max(0, ...times) > FORGET_MS) await rm(join(dir, site), { recursive: true, force: true });
    }
  };
  const sweep = async () => {
    try {
      await snapshots.sweep();
      await restores.sweep();
      await sweepSegments();
    } catch (thrown) {
      log('warn', `cannot sweep old snapshots: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  };
  return {
    snapshots,
    restores,
    former,
    workers,
    start() {
      void sweep();
      timer = setInterval(() => void sweep(), SWEEP_MS);
      timer.unref();
    },
    async close() {
      clearInterval(timer);
      await workers.close();
    },
  };
}
