// All that was written is made durable by one small process, started once, which is gone with the store.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SyncAll, syncAllOf } from './sync-file-system.ts';

let dir: string;
let directory: FileHandle;
let all: SyncAll;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-sync-'));
  directory = await open(dir);
  const found = await syncAllOf(directory);
  if (found === undefined) throw new Error(`${dir} is on a file system that is synced by the file`);
  all = found;
});
afterEach(async () => {
  await all.close();
  await directory.close();
  rmSync(dir, { recursive: true });
});

/** Of the shells that sync what is open as this directory. */
function shells(): readonly string[] {
  const at = `/proc/${process.pid}/fd/${directory.fd}/.`;
  return readdirSync('/proc').filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0] === '/bin/sh' && words.includes(at);
    } catch {
      return false;
    }
  });
}

test('by one shell for all times and callers, and none after it', async () => {
  expect(shells()).toEqual([]);
  await all.sync();
  const [shell, ...more] = shells();
  expect(more).toEqual([]);
  writeFileSync(join(dir, 'a'), 'a');
  await Promise.all([all.sync(), all.sync()]);
  expect(shells()).toEqual([shell]);
  await all.close();
  expect(shells()).toEqual([]);
});

test('what sync says is told, each time, and a shell that was ended is started again', async () => {
  await all.sync();
  for (const pid of shells()) process.kill(Number(pid), 'SIGKILL');
  await expect(all.sync()).rejects.toThrow(/cannot make files durable: /);
  await all.sync();
  expect(shells().length).toBe(1);

  const gone = await open(dir);
  const ofGone = await syncAllOf(gone);
  await gone.close();
  // Takes its number, unless nobody does.
  writeFileSync(join(dir, 'a'), 'a');
  const file = await open(join(dir, 'a'));
  for (let time = 0; time < 2; time++) {
    await expect(ofGone?.sync()).rejects.toThrow(/cannot make files durable: .*sync: .*(No such file|Not a directory)/);
  }
  await file.close();
  await ofGone?.close();
});
