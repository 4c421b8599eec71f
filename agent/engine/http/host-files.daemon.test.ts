// The file for systemd-tmpfiles, read by that program itself in a private root.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { which } from '../../host/which.ts';
import { type HostFile, hostFiles } from './host-files.ts';

const run = promisify(execFile);
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aegir-host-files-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function fileFor(start: string): HostFile {
  const paths = {
    state: `${root}/state`,
    sites: `${root}/sites`,
    logs: `${root}/logs`,
    run: `${root}/run/aegir`,
    work: `${root}/work`,
  };
  const file = hostFiles(paths).find(({ path }) => path.startsWith(start));
  if (file === undefined) throw new Error(`no file below ${start}`);
  return file;
}

const tmpfiles = await which('systemd-tmpfiles');
it.skipIf(tmpfiles === undefined || process.geteuid?.() !== 0)(
  'systemd-tmpfiles makes the directory (skipped without root)',
  async () => {
    const config = join(root, 'aegir.conf');
    await writeFile(config, fileFor('/etc/tmpfiles.d/').content);
    await run(tmpfiles ?? '', ['--create', config]);
    expect((await stat(join(root, 'run/aegir'))).mode & 0o777).toBe(0o711);
  },
);
