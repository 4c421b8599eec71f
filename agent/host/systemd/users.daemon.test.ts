// Accounts of sites by the real useradd and userdel, in a copy of /etc: no number comes again.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const INNER = join(import.meta.dirname, 'testing-reuse.ts');
const OWN =
  'mount --bind "$1/etc" /etc && for d in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $d; done && exec "$2" "$3" "$1"';

test.runIf(process.getuid?.() === 0)('what a site left in /var/tmp is never the next one’s', () => {
  const base = mkdtempSync('/run/aegir-users-');
  try {
    cpSync('/etc', join(base, 'etc'), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    const argv = ['-m', '--propagation', 'private', 'sh', '-c', OWN, 'sh', base, process.execPath, INNER];
    const seen = JSON.parse(execFileSync('unshare', argv, { encoding: 'utf8' }));
    const { uid } = seen.first;
    const own = (name: string, number: number, gid = number) => ({ name, uid: number, gid });
    expect(uid).toBeGreaterThanOrEqual(40_000);
    expect(seen).toEqual({
      first: own('aegir-first', uid),
      program: { mode: 0o106_755, uid },
      removed: true,
      second: own('aegir-second', uid + 1),
      again: own('aegir-second', uid + 1),
      // Its group has the next number already.
      third: own('aegir-third', uid + 3, uid + 2),
      lost: own('aegir-fourth', uid + 4),
      shared: own('aegir-fifth', 480_001),
      left: [],
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
