// A store of chunks in a folder, for tests and measurements of transfers: durable in batches by one sync of its file
// system, and with what a crash left taken over when its digest is right.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ChunkStore } from '../../agent/mesh/objects.ts';

const run = promisify(execFile);

export interface FolderStore extends ChunkStore {
  /** Chunks that were put since it was opened. */
  puts(): number;
}

export function openFolderStore(dir: string): FolderStore {
  const fresh = join(dir, 'new');
  mkdirSync(fresh, { recursive: true });
  const placeOf = (id: string) => join(dir, id.slice(0, 2), id);
  for (let i = 0; i < 256; i++) mkdirSync(join(dir, i.toString(16).padStart(2, '0')), { recursive: true });
  for (const id of readdirSync(fresh)) {
    const whole =
      createHash('sha256')
        .update(readFileSync(join(fresh, id)))
        .digest('hex') === id;
    if (whole) renameSync(join(fresh, id), placeOf(id));
    else rmSync(join(fresh, id));
  }
  let waiting: string[] = [];
  let puts = 0;
  return {
    puts: () => puts,
    has: async (ids) => ids.map((id) => existsSync(placeOf(id))),
    get: async (id) => ({ compression: 'none', bytes: await readFile(placeOf(id)) }),
    async put(id, raw) {
      await writeFile(join(fresh, id), raw);
      waiting.push(id);
      puts += 1;
    },
    async flush() {
      const ids = [...new Set(waiting)];
      waiting = [];
      if (ids.length === 0) return;
      await run('/usr/bin/sync', ['-f', dir]);
      for (const id of ids) renameSync(join(fresh, id), placeOf(id));
      await run('/usr/bin/sync', ['-f', dir]);
    },
  };
}
