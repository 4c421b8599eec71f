// Ending what runs as a user, on real processes that do what they can to live on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTestingUsers, hopping, ownUid, startDaemonAs } from './testing-users.ts';
import { processesOf } from './user-processes.ts';
import { waitUntil } from './wait.ts';

const NAME = 'aegir-0000000000000077';
const UID = ownUid();
const OTHER = ownUid(1);

describe.skipIf(process.geteuid?.() !== 0)('processes of a user (as root)', () => {
  const { processes } = createTestingUsers(NAME, UID);

  it('are counted and ended, also those that left their session and ignore SIGTERM; others live on', async () => {
    const other = await startDaemonAs(OTHER);
    try {
      await startDaemonAs(UID);
      const polite = spawn('setpriv', [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--', 'sleep', '120']);
      const ended = once(polite, 'exit');
      await once(polite, 'spawn');
      expect(await processes?.running(NAME)).toBeGreaterThan(0);
      await processes?.end(NAME);
      expect(await processes?.running(NAME)).toBe(0);
      expect(await ended).toEqual([null, 'SIGTERM']);
      expect(await processesOf(OTHER)).toEqual([other.pid]);
      await processes?.end(NAME);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('do not escape by being another one all the time', async () => {
    // It writes what it is until it is ended: nothing else tells for sure that it lives.
    const dir = await mkdtemp(join(tmpdir(), 'aegir-hopping-'));
    const path = join(dir, 'alive');
    const last = () => readFile(path, 'utf8');
    try {
      await chmod(dir, 0o777);
      await startDaemonAs(UID, hopping(path));
      const first = await last();
      expect(await waitUntil(async () => (await last()) !== first, 60_000)).toBe(true);
      await processes?.end(NAME);
      const end = await last();
      expect(await waitUntil(async () => (await last()) !== end, 1_000)).toBe(false);
      expect(await processesOf(UID)).toEqual([]);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('are left alone where the number is that of another user too', async () => {
    const deaf = await startDaemonAs(UID);
    try {
      const shared = createTestingUsers(NAME, UID, 'aegir-0000000000000078').processes;
      await expect(shared?.end(NAME)).rejects.toThrow(`its number ${UID} is that of aegir-0000000000000078 too`);
      const root = createTestingUsers(NAME, 0).processes;
      await expect(root?.end(NAME)).rejects.toThrow('its number 0 is that of no system user');
      expect(await processesOf(UID)).toEqual([deaf.pid]);
    } finally {
      deaf.kill('SIGKILL');
    }
  });
});
