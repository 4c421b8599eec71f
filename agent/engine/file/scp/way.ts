// Carries objects by OpenSSH's scp (over the SFTP protocol, as it does since version 9), and changes names by a few plain
// commands of the account's shell.
import { rename } from 'node:fs/promises';
import { AegirError } from '../../../../shared/error.ts';
import type { CommandResult } from '../../../host/host.ts';
import type { StoredObject } from '../../engine.ts';
import { isObjectName } from '../object-name.ts';
import { inTime, listed, type RemoteWay } from '../remote-carrier.ts';
import type { Scratch } from '../scratch.ts';
import { carryMs } from '../spooled-store.ts';
import { ALIAS, remoteFailure, type Ssh } from '../ssh.ts';

/** What the shell answers for a file that is not there. */
const NONE = 44;
/** Time for each object besides its bytes is that for so many more. */
const PER_OBJECT = 65_536;

export function createScpWay(ssh: Ssh, root: string, scratch: Scratch): RemoteWay {
  const shell = (doing: string, command: string, timeoutMs?: number, input?: string): Promise<CommandResult> =>
    inTime(
      doing,
      ssh.where,
      scratch.run({
        argv: ['ssh', ...ssh.options, ALIAS, '--', `LC_ALL=C; cd -- ${quote(root)} && { ${command}; }`],
        env: ssh.env,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(input === undefined ? {} : { input }),
      }),
    );
  const must = async (doing: string, command: string, timeoutMs?: number, input?: string): Promise<string> => {
    const result = await shell(doing, command, timeoutMs, input);
    if (result.code === 0) return result.stdout;
    throw remoteFailure(result, doing, ssh.where, root);
  };
  const copy = async (doing: string, from: readonly string[], to: string, size: number): Promise<void> => {
    const result = await inTime(
      doing,
      ssh.where,
      scratch.run({
        argv: ['scp', ...ssh.options, '-s', '-q', '--', ...from, to],
        env: ssh.env,
        timeoutMs: carryMs(size),
      }),
    );
    if (result.code !== 0) throw remoteFailure(result, doing, ssh.where, root);
  };
  const remote = (path: string): string => `${ALIAS}:${root}/${path}`;

  const stat = async (name: string): Promise<StoredObject | undefined> => {
    const doing = `look for object ${name}`;
    const result = await shell(doing, `[ -f ${quote(name)} ] || exit ${NONE}; ls -ln -- ${quote(name)}`);
    if (result.code === NONE) return undefined;
    if (result.code !== 0) throw remoteFailure(result, doing, ssh.where, root);
    const entry = listed(result.stdout);
    return entry?.kind === '-' ? { name, size: entry.size } : undefined;
  };

  return {
    async check() {
      await must('open the store', ':');
    },
    async put(parcels, dirs) {
      const doing = parcels.length === 1 ? `put object ${parcels[0]?.name}` : `put ${parcels.length} objects`;
      const files: string[] = [];
      try {
        // All by one program: each gets the temporary name that it has here.
        for (const { file, temporary } of parcels) {
          await rename(file, scratch.path(temporary));
          files.push(scratch.path(temporary));
        }
        const bytes = parcels.reduce((sum, { size }) => sum + size + PER_OBJECT, 0);
        await copy(doing, files, remote(''), bytes);
        const lines = [
          ...dirs.map((dir) => `d ${dir}\n`),
          ...parcels.map(({ temporary, name }) => `f ${temporary} ${name}\n`),
        ];
        // Not into a directory of that name; where sync takes no file system, the disk is left to itself.
        const move =
          '{ sync -f . 2>/dev/null || :; } && while read -r what from to; do ' +
          'if [ "$what" = d ]; then mkdir -p -- "$from" || exit 1; continue; fi; ' +
          'if [ -d "$to" ]; then echo "a directory has that name" >&2; exit 1; fi; ' +
          'mv -f -- "$from" "$to" || exit 1; done';
        await must(doing, move, carryMs(bytes), lines.join(''));
      } finally {
        for (const [at, path] of files.entries()) await rename(path, parcels[at]?.file ?? path).catch(() => {});
      }
    },
    async get(name, file) {
      const size = (await stat(name))?.size;
      if (size === undefined) return false;
      await copy(`get object ${name}`, [remote(name)], file, size);
      return true;
    },
    async present(names) {
      const look = 'while read -r name; do if [ -f "$name" ]; then echo yes; else echo no; fi; done';
      const input = names.map((name) => `${name}\n`).join('');
      const said = await must('look for objects', look, carryMs(names.length * PER_OBJECT), input);
      const answers = said.trimEnd().split('\n');
      return names.map((_, at) => answers[at] === 'yes');
    },
    stat,
    async list(prefix) {
      const said = await must('list objects', 'find . -type f -exec ls -ln {} +', carryMs(64 * 1024 * 1024));
      return said.split('\n').flatMap((line) => {
        const entry = listed(line);
        const name = entry?.name.replace(/^\.\//, '') ?? '';
        return entry?.kind === '-' && isObjectName(name) && name.startsWith(prefix) ? [{ name, size: entry.size }] : [];
      });
    },
    async remove(names, dirs) {
      const doing = names.length === 1 ? `remove object ${names[0]}` : `remove ${names.length} objects`;
      const lines = [...names.map((name) => `f ${name}\n`), ...dirs.map((dir) => `d ${dir}\n`)];
      const remove =
        'while read -r what name; do if [ "$what" = d ]; then rmdir -- "$name" 2>/dev/null; ' +
        'else rm -f -- "$name" || exit 1; fi; done; :';
      await must(doing, remove, carryMs(lines.length * PER_OBJECT), lines.join(''));
    },
    names: async () => (await must('list objects', 'ls -A')).split('\n').filter((name) => name !== ''),
  };
}

/** For the shell over there. Paths come from checked settings and names. */
function quote(path: string): string {
  if (/['\\\r\n]/.test(path)) {
    throw new AegirError(
      'invalid_argument',
      `cannot use ${JSON.stringify(path)} with scp: it has a character of its own`,
    );
  }
  return `'${path}'`;
}
