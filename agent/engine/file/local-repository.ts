// Repositories that lie on this server. Whoever may change one has programs run by those who use it (its hooks, what its
// configuration names), so only those of users that we trust anyway are used.
import { dirname } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import { inTime } from './remote-carrier.ts';
import type { Scratch } from './scratch.ts';

const DOING = 'open the store';
const KIND = 0o170000;
const LINK = 0o120000;
const STICKY = 0o1000;
const BY_EVERYBODY = 0o002;

export interface LocalPath {
  /** Without links, so that it leads where it was looked at; it need not be there. */
  readonly path: string;
  /** As whom programs of file services run. */
  readonly user: string;
  /** It, and the directories that it lies in, the innermost first. */
  readonly upwards: readonly string[];
  /**
   * Those of the paths that are there. Throws failed_precondition when one belongs neither to root nor to the user that
   * programs of file services run as, or when everybody may write to it.
   */
  own(paths: readonly string[]): Promise<readonly string[]>;
}

/** What it asks, it asks as that user by programs: who sees what the agent may not, and may hang alone at a dead mount. */
export async function openLocalPath(named: string, scratch: Scratch): Promise<LocalPath> {
  const where = `the repository ${named}`;
  const run = async (...argv: [string, ...string[]]): Promise<string> =>
    (await inTime(DOING, where, scratch.run({ argv }))).stdout;
  const path = (await run('realpath', '--canonicalize-missing', '--zero', '--', named)).replace(/\0$/, '');
  if (!path.startsWith('/') || /\p{Cc}/u.test(path)) {
    throw new AegirError(
      'failed_precondition',
      `cannot ${DOING}: ${where} has no path that can be used; correct the url`,
    );
  }
  const user = (await run('id', '-un')).trim();
  const foreign = (what: string, why: string): AegirError =>
    new AegirError(
      'failed_precondition',
      `cannot ${DOING}: ${where} could run programs of others as us: ${what} ${why}; give it to the user ` +
        `${user} (chown -R), in directories that root alone changes, or have it reached by its ` +
        'own server (ssh, https, svn)',
    );
  return {
    path,
    user,
    upwards: upwardsFrom(path),
    async own(paths) {
      const trusted = ['0', (await run('id', '-u')).trim()];
      const there: string[] = [];
      for (const entry of (await run('stat', '--printf=%u %f %n\\0', '--', ...paths)).split('\0')) {
        const [, uid = '', mode = '', name] = /^(\d+) ([0-9a-f]+) (.+)$/.exec(entry) ?? [];
        if (name === undefined) continue;
        const bits = Number.parseInt(mode, 16);
        if (!trusted.includes(uid)) throw foreign(name, `belongs to user ${uid}`);
        const open = (bits & BY_EVERYBODY) !== 0 && (bits & STICKY) === 0 && (bits & KIND) !== LINK;
        if (open) throw foreign(name, 'may be changed by everybody');
        there.push(name);
      }
      return there;
    },
  };
}

function upwardsFrom(path: string): readonly string[] {
  return path === '/' ? [path] : [path, ...upwardsFrom(dirname(path))];
}
