// Statements to a server's MariaDB, past Aegir.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Machine } from './machine.ts';

/** Asks it as whoever runs it. */
export function sql(machine: Machine, statement: string, server = 'db1'): string[] {
  const socket = join(machine.layout.dir, server, 'host/run/mariadb.sock');
  const asked = ['mariadb', '--no-defaults', `--socket=${socket}`, '--batch', '--skip-column-names'] as const;
  const [program, ...args] =
    process.getuid?.() === 0 ? (['setpriv', '--reuid=www-data', '--clear-groups', ...asked] as const) : asked;
  const answer = execFileSync(program, [...args, '--execute', statement], { encoding: 'utf8' });
  return answer.split('\n').filter((line) => line !== '');
}
