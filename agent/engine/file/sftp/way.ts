// Carries objects by OpenSSH's sftp, whose commands are given on its input and end at the first that fails.
import { AegirError } from '../../../../shared/error.ts';
import type { CommandResult } from '../../../host/host.ts';
import type { StoredObject } from '../../engine.ts';
import { isObjectName, mayHold } from '../object-name.ts';
import { inTime, listed, type RemoteWay } from '../remote-carrier.ts';
import type { Scratch } from '../scratch.ts';
import { carryMs } from '../spooled-store.ts';
import { ALIAS, remoteFailure, type Ssh } from '../ssh.ts';

const MAX_DEPTH = 4;
/** Time for a command is that for so many bytes. */
const PER_COMMAND = 65_536;
/** ssh itself ends what does not answer. */
const GET_MS = 3600_000;
/** Over one connection at a time, each of which waits for the other side by itself; servers allow ten. */
const SESSIONS = 4;
const NONE = /(?:no such file|not found)/i;

export function createSftpWay(ssh: Ssh, root: string, scratch: Scratch): RemoteWay {
  const batch = (doing: string, lines: readonly string[], timeoutMs?: number): Promise<CommandResult> =>
    inTime(
      doing,
      ssh.where,
      scratch.run({
        // -b makes ssh silent for a password; what stands before goes first.
        argv: [
          'sftp',
          ...ssh.options,
          ...(ssh.env['SSH_ASKPASS'] === undefined ? [] : ['-o', 'BatchMode=no']),
          '-b',
          '-',
          ALIAS,
        ],
        input: `${lines.join('\n')}\n`,
        env: ssh.env,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    );
  const must = async (doing: string, lines: readonly string[], timeoutMs?: number): Promise<CommandResult> => {
    const result = await batch(doing, lines, timeoutMs);
    if (result.code === 0) return result;
    throw remoteFailure(result, doing, ssh.where, root);
  };
  const at = (path: string): string => quote(path === '' ? root : `${root}/${path}`);

  /** What is in directories, by directory; those that are gone meanwhile are empty. */
  const look = async (dirs: readonly string[]): Promise<readonly StoredEntry[]> => {
    const lines = dirs.map((dir) => `-ls -1lna ${at(dir)}`);
    const { stdout } = await must('list objects', lines, carryMs(dirs.length * PER_COMMAND));
    const entries: StoredEntry[] = [];
    let dir = -1;
    for (const line of stdout.split('\n')) {
      // Each command is shown before what it says.
      if (line.startsWith('sftp> ')) dir += 1;
      const entry = listed(line);
      const above = dirs[dir];
      if (entry === undefined || above === undefined) continue;
      const leaf = entry.name.slice(entry.name.lastIndexOf('/') + 1);
      entries.push({ ...entry, name: above === '' ? leaf : `${above}/${leaf}` });
    }
    return entries;
  };

  return {
    async check() {
      await must('open the store', [`cd ${at('')}`]);
    },
    async put(parcels, dirs) {
      await must(
        parcels.length === 1 ? `put object ${parcels[0]?.name}` : `put ${parcels.length} objects`,
        [
          ...dirs.map((dir) => `-mkdir ${at(dir)}`),
          ...parcels.map(({ file, temporary }) => `put -f ${quote(file)} ${at(temporary)}`),
          ...parcels.map(({ temporary, name }) => `rename ${at(temporary)} ${at(name)}`),
        ],
        carryMs(parcels.reduce((sum, { size }) => sum + size + PER_COMMAND, 0)),
      );
    },
    async get(name, file) {
      const doing = `get object ${name}`;
      const result = await batch(doing, [`get ${at(name)} ${quote(file)}`], GET_MS);
      if (result.code === 0) return true;
      if (NONE.test(result.stderr) || /not a regular file|is a directory/i.test(result.stderr)) return false;
      throw remoteFailure(result, doing, ssh.where, root);
    },
    async bring(files) {
      const all = [...files];
      const share = Math.ceil(all.length / SESSIONS);
      const groups = Array.from({ length: SESSIONS }, (_, at) => all.slice(at * share, (at + 1) * share));
      const doing = `get ${all.length} objects`;
      const fetch = async (group: typeof all) => {
        const lines = group.map(([name, file]) => `-get ${at(name)} ${quote(file)}`);
        const result = await batch(doing, lines, GET_MS);
        // Any other complaint may be of half a file.
        const wrong = result.stderr.split('\n').filter((line) => line.trim() !== '' && !NONE.test(line));
        if (result.code === 0 && wrong.length === 0) return;
        throw remoteFailure({ ...result, stderr: wrong.join('\n') || result.stderr }, doing, ssh.where, root);
      };
      const ended = await Promise.allSettled(groups.filter(({ length }) => length > 0).map(fetch));
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
    },
    async present(names) {
      const lines = names.map((name) => `-ls -1ln ${at(name)}`);
      const { stdout } = await must('look for objects', lines, carryMs(names.length * PER_COMMAND));
      const there = names.map(() => false);
      let asked = -1;
      for (const line of stdout.split('\n')) {
        if (line.startsWith('sftp> ')) asked += 1;
        else if (listed(line)?.kind === '-') there[asked] = true;
      }
      return there;
    },
    stat: (name) => stat(name),
    async list(prefix) {
      const found: StoredObject[] = [];
      let dirs: readonly string[] = [''];
      for (let depth = 0; depth < MAX_DEPTH && dirs.length > 0; depth += 1) {
        const entries = (await look(dirs)).filter(({ name }) => isObjectName(name));
        found.push(...entries.filter(({ kind, name }) => kind === '-' && name.startsWith(prefix)));
        dirs = entries.filter(({ kind, name }) => kind === 'd' && mayHold(name, prefix)).map(({ name }) => name);
      }
      return found.map(({ name, size }) => ({ name, size }));
    },
    async remove(names, dirs) {
      const doing = names.length === 1 ? `remove object ${names[0]}` : `remove ${names.length} objects`;
      const lines = [...names.map((name) => `-rm ${at(name)}`), ...dirs.map((dir) => `-rmdir ${at(dir)}`)];
      const result = await batch(doing, lines, carryMs(lines.length * PER_COMMAND));
      const wrong = result.stderr.split('\n').filter((line) => /delet/i.test(line) && !NONE.test(line));
      if (result.code === 0 && wrong.length === 0) return;
      throw remoteFailure({ ...result, stderr: wrong.join('\n') || result.stderr }, doing, ssh.where, root);
    },
    names: async () => (await look([''])).map(({ name }) => name),
  };

  async function stat(name: string): Promise<StoredObject | undefined> {
    const doing = `look for object ${name}`;
    const result = await batch(doing, [`ls -1ln ${at(name)}`]);
    if (result.code !== 0) {
      if (NONE.test(result.stderr)) return undefined;
      throw remoteFailure(result, doing, ssh.where, root);
    }
    const [entry, ...more] = result.stdout.split('\n').flatMap((line) => listed(line) ?? []);
    if (entry === undefined || more.length > 0 || entry.kind !== '-') return undefined;
    return { name, size: entry.size };
  }
}

interface StoredEntry {
  readonly kind: string;
  readonly name: string;
  readonly size: number;
}

/** For sftp's own reading of a line. Paths come from checked settings, names and the scratch directory. */
function quote(path: string): string {
  if (/["\\\r\n*?[\]]/.test(path)) {
    throw new AegirError(
      'invalid_argument',
      `cannot use ${JSON.stringify(path)} with sftp: it has a character of its own`,
    );
  }
  return `"${path}"`;
}
