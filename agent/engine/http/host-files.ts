// What carrying sites needs of a host beside its daemons: the directory of the pools' sockets at every boot, before
// PHP-FPM starts. Systemd hosts only; embedded ones make theirs at start.
import type { Host, HostPaths } from '../../host/host.ts';
import type { Change } from '../engine.ts';
import { configPath } from './config/quote.ts';

const MODE = { mode: 0o644 };

export async function planHostFiles(host: Host): Promise<readonly Change[]> {
  if (host.kind !== 'systemd') return [];
  const changes: Change[] = [];
  for (const { path, content, why } of hostFiles(host.paths)) {
    if (await host.files.matches(path, content, MODE)) continue;
    changes.push({ summary: `write ${path}: ${why}`, run: () => host.files.write(path, content, MODE) });
  }
  return changes;
}

export interface HostFile {
  readonly path: string;
  readonly content: string;
  readonly why: string;
}

export function hostFiles({ run }: Pick<HostPaths, 'run'>): readonly HostFile[] {
  return [
    {
      path: '/etc/tmpfiles.d/aegir-run.conf',
      content: `# Written by Aegir: PHP-FPM does not start without the directory of its pools' sockets.
d "${configPath(run, 'directory of sockets')}" 0711 root root -
`,
      why: 'the directory of sockets at every boot',
    },
  ];
}
