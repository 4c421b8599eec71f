// Numbers of the system users of this server's own sites. They rise and none is given twice: useradd alone gives the one
// that has just become free, and with it all that its former user left where nobody looked.
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import { HOST_UIDS, isWithin, SMALL_HOST_UIDS, type UidRange } from '../../../shared/site-uid.ts';
import type { Files } from '../host.ts';
import { findGroup, findUser } from '../passwd.ts';
import type { Run } from '../process.ts';

export interface UserNumbers {
  /**
   * One that no user or group of this host has or had. It counts as given from now on: who cannot use it asks for another.
   * One call at a time. Throws resource_exhausted when all were given, data_loss when nobody can say which.
   */
  next(): Promise<number>;
}

export interface UserNumbersOptions {
  readonly run: Run;
  readonly files: Files;
  /** The agent's state directory, where the highest that was given is remembered. */
  readonly state: string;
  /** Root of the sites' directories. */
  readonly sites: string;
  /** Where passwd and group are; replaced in tests, as range is. */
  readonly etc?: string;
  readonly range?: () => Promise<UidRange>;
}

export function createUserNumbers(options: UserNumbersOptions): UserNumbers {
  const { run, files, state, sites } = options;
  const etc = options.etc ?? '/etc';
  const rangeHere = options.range ?? usableRange;

  const remembered = async (path: string, range: UidRange): Promise<Memory> => {
    const text = await files.read(path);
    if (text === undefined) return { highest: 0, again: false };
    const [, number = '', again] = /^([0-9]{1,10})( again)?\n?$/.exec(text) ?? [];
    const highest = Number(number);
    // The one before the first is how a person begins another round.
    if (number !== '' && (highest === range.first - 1 || isWithin(highest, range))) {
      return { highest, again: again !== undefined };
    }
    throw new AegirError(
      'data_loss',
      `cannot choose a number for a site's system user: ${path} should hold the highest of ${range.first} to ${range.last} ` +
        'that was given; write that into it, or remove it to begin above those that users and sites have',
    );
  };

  /** What there is of a memory that was lost, or that was brought back from a copy. */
  const seen = async (range: UidRange): Promise<number> => {
    let highest = 0;
    const see = (number: number): void => {
      if (isWithin(number, range) && number > highest) highest = number;
    };
    for (const name of ['passwd', 'group']) {
      const lines = ((await files.read(join(etc, name))) ?? '').split('\n');
      for (const line of lines) for (const field of line.split(':').slice(2, 4)) see(Number(field));
    }
    for (const site of await files.list(sites)) {
      const root = join(sites, site);
      for (const path of [root, ...(await files.list(root)).map((name) => join(root, name))]) {
        const facts = await lstat(path).catch(() => undefined); // a site that goes meanwhile
        if (facts === undefined) continue;
        see(facts.uid);
        see(facts.gid);
      }
    }
    return highest;
  };

  const isFree = async (number: number): Promise<boolean> =>
    (await findUser(number, run)) === undefined && (await findGroup(number, run)) === undefined;

  return {
    async next() {
      const range = await rangeHere();
      const memory = join(state, `highest-uid-from-${range.first}`);
      const { highest: last, again } = await remembered(memory, range);
      const highest = Math.max(range.first - 1, last, again ? 0 : await seen(range));
      for (let number = highest + 1; number <= range.last; number++) {
        if (!(await isFree(number))) continue;
        // Before anybody has it: a crash may lose a number, and never gives one again.
        await files.write(memory, `${number}${again ? ' again' : ''}\n`, { mode: 0o600 });
        return number;
      }
      // No second round by itself: nobody can look at all that a number may have left, on disks that are not mounted too.
      throw new AegirError(
        'resource_exhausted',
        `cannot choose a number for a site's system user: all up to ${range.last} were given on this server; put the site ` +
          'on another one, or look that nothing is left of some that are free (find / -uid), and write the number before ' +
          `the first of them with the word again into ${memory}, as "${range.first - 1} again"`,
      );
    },
  };
}

interface Memory {
  readonly highest: number;
  /** A person begins another round, in spite of what has higher numbers. */
  readonly again: boolean;
}

/** In a container only those numbers can own anything that its map has (user_namespaces(7)). */
async function usableRange(): Promise<UidRange> {
  const maps = await Promise.all(
    ['uid_map', 'gid_map'].map((name) => readFile(`/proc/self/${name}`, 'utf8').catch(() => undefined)),
  );
  return rangeOf(maps.filter((map) => map !== undefined));
}

/** For the texts of uid_map and gid_map; a kernel that has none has all numbers. */
export function rangeOf(maps: readonly string[]): UidRange {
  const holds = (map: string): boolean =>
    map.split('\n').some((line) => {
      const [first = Number.NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
      return first <= HOST_UIDS.first && first + count > HOST_UIDS.last;
    });
  return maps.every(holds) ? HOST_UIDS : SMALL_HOST_UIDS;
}
