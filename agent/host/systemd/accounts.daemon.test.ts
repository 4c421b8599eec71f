// A site's account that is closed, by the real usermod, cron and atd: neither starts anything of it, and both do again when it
// is open. In namespaces and copies of its own: nothing of the machine's jobs runs there.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findGroup, findUser } from '../passwd.ts';

const INNER = join(import.meta.dirname, 'testing-jobs.ts');
const OWN =
  'mount --bind "$1/etc" /etc && mount --bind "$1/cron" /var/spool/cron && ' +
  'for d in /run /tmp; do mount -t tmpfs -o mode=1777 tmpfs $d; done && exec "$2" "$3"';

test.runIf(process.getuid?.() === 0)(
  'neither cron nor at starts anything of a user whose account is closed; we may, and they do when it is open',
  async () => {
    const base = mkdtempSync('/var/tmp/aegir-accounts-');
    try {
      chmodSync(base, 0o755);
      // With its owners: at reads /etc/at.deny by its group.
      execFileSync('cp', ['-a', '/etc', join(base, 'etc')]);
      for (const name of ['crontab', 'cron.d', 'cron.allow', 'at.allow'])
        rmSync(join(base, 'etc', name), { recursive: true, force: true });
      await spool(join(base, 'cron'));
      const script = ['sh', '-c', OWN, 'sh', base, process.execPath, INNER];
      const argv = ['-m', '-p', '--fork', '--mount-proc', '--kill-child', '--propagation', 'private', ...script];
      const { stdout } = await promisify(execFile)('unshare', argv);
      expect(JSON.parse(stdout)).toEqual({
        states: ['open', 'closed', 'open', 'open'],
        meanwhile: [0, 0],
        itself: 'aegir-closed',
        // The day on which somebody else lets it expire comes back when it is open.
        ofOthers: true,
        first: expect.stringMatching(/^\d\d:\d\d$/),
        sameMinute: true,
        others: ['expired', 'open', 'closed'],
        gone: [null, false],
      });
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  },
  300_000,
);

/** As Debian's packages make it. */
async function spool(at: string): Promise<void> {
  const daemon = await findUser('daemon');
  const crontab = await findGroup('crontab');
  if (daemon === undefined || crontab === undefined) throw new Error('cron and at are not installed: npm test does');
  mkdirSync(join(at, 'crontabs'), { recursive: true });
  chownSync(join(at, 'crontabs'), 0, crontab.gid);
  chmodSync(join(at, 'crontabs'), 0o1730);
  for (const name of ['atjobs', 'atspool']) {
    mkdirSync(join(at, name));
    chownSync(join(at, name), daemon.uid, daemon.gid);
    chmodSync(join(at, name), 0o1770);
  }
  writeFileSync(join(at, 'atjobs/.SEQ'), '0\n', { mode: 0o600 });
  chownSync(join(at, 'atjobs/.SEQ'), daemon.uid, daemon.gid);
}
