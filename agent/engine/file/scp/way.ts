// Carries objects by OpenSSH's scp (over the SFTP protocol, as it does since version 9), and changes names by a few plain
// commands of the account's shell.
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

export function createScpWay(ssh: Ssh, root: string, scratch: Scratch): RemoteWay {
  const shell = (doing: string, command: string, timeoutMs?: number): Promise<CommandResult> =>
    inTime(
      doing,
      ssh.where,
      scratch.run({
        argv: ['ssh', ...ssh.options, ALIAS, '--', `LC_ALL=C; cd -- ${quote(root)} && { ${command}; }`],
        env: ssh.env,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    );
  const must = async (doing: string, command: string, timeoutMs?: number): Promise<string> => {
    const result = await shell(doing, command, timeoutMs);
    if (result.code === 0) return result.stdout;
    throw remoteFailure(result, doing, ssh.where, root);
  };
  const copy = async (doing: string, from: string, to: string, size: number): Promise<void> => {
    const result = await inTime(
      doing,
      ssh.where,
      scratch.run({
        argv: ['scp', ...ssh.options, '-s', '--', from, to],
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
    async put(file, size, temporary, dirs, name) {
      const doing = `put object ${name}`;
      await copy(doing, file, remote(temporary), size);
      // Not into a directory of that name; where sync takes no file, the disk is left to itself.
      const make = dirs.length === 0 ? '' : `mkdir -p -- ${quote(dirs.at(-1) ?? '')} && `;
      await must(
        doing,
        `{ sync ${quote(temporary)} 2>/dev/null || :; } && ${make}` +
          `if [ -d ${quote(name)} ]; then echo "a directory has that name" >&2; exit 1; fi && ` +
          `mv -f -- ${quote(temporary)} ${quote(name)}`,
      );
    },
    async get(name, file) {
      const size = (await stat(name))?.size;
      if (size === undefined) return false;
      await copy(`get object ${name}`, remote(name), file, size);
      return true;
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
    async remove(name, dirs) {
      const empty = dirs.length === 0 ? '' : `; rmdir -- ${dirs.map(quote).join(' ')} 2>/dev/null || :`;
      await must(`remove object ${name}`, `rm -f -- ${quote(name)}${empty === '' ? '' : ` && { :${empty}; }`}`);
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
