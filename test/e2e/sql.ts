// Statements to db1's MariaDB, past Aegir.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Machine } from './machine.ts';

/** Asks db1's MariaDB as whoever runs it. */
export function sql(machine: Machine, statement: string): string[] {
  const socket = join(machine.layout.dir, 'db1/host/run/mariadb.sock');
  const asked = ['mariadb', '--no-defaults', `--socket=${socket}`, '--batch', '--skip-column-names'] as const;
  const [program, ...args] =
    process.getuid?.() === 0 ? (['setpriv', '--reuid=www-data', '--clear-groups', ...asked] as const) : asked;
  const answer = execFileSync(program, [...args, '--execute', statement], { encoding: 'utf8' });
  return answer.split('\n').filter((line) => line !== '');
}
