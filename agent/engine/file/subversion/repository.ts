// Objects as files of a Subversion repository. What is put and removed becomes one commit; when somebody else changed the
// same directories meanwhile, it is made anew.
import { copyFile } from 'node:fs/promises';
import { AegirError } from '../../../../shared/error.ts';
import type { CommandResult } from '../../../host/host.ts';
import type { StoredObject } from '../../engine.ts';
import { directoriesOf, isObjectName, partsOf } from '../object-name.ts';
import type { Scratch, Spooled } from '../scratch.ts';
import { type Carrier, carryMs } from '../spooled-store.ts';
import type { Svn } from './svn.ts';

const MAX_OBJECT = 1024 ** 3;
const TRIES = 8;
const OPEN_MS = 25_000;
const NONE = /E200009|W160013|E160013|W170000|E170000/;
/** Somebody else made, removed or changed the same. */
const RACED = /E160020|E160024|E160028|E170004|E155011|E160013|out of date|already exists/i;

export async function openSvnRepository(svn: Svn, url: string, scratch: Scratch): Promise<Carrier> {
  const { where } = svn;
  /** Not committed yet; undefined for what is to go. */
  const staged = new Map<string, Spooled | undefined>();
  const at = (name: string): string => `${url}/${name}`;

  const must = async (result: Promise<CommandResult>, doing: string): Promise<string> => {
    const { code, stdout, stderr } = await result;
    if (code === 0) return stdout;
    throw svn.failure({ code, stdout, stderr }, doing);
  };

  /** Files and directories that are there; recursive or one by one. */
  const look = async (doing: string, args: readonly string[]): Promise<readonly Entry[]> => {
    const result = await svn.ask('svn', doing, ['list', '--xml', ...args], carryMs(64 * 1024 * 1024));
    if (result.code !== 0 && !NONE.test(result.stderr)) throw svn.failure(result, doing);
    return entriesIn(result.stdout);
  };

  /** Of these names, those that are there. */
  const present = async (
    doing: string,
    names: readonly string[],
    kind: 'any' | 'file' = 'any',
  ): Promise<ReadonlySet<string>> => {
    if (names.length === 0) return new Set();
    const targets = await scratch.write('targets', names.map((name) => `${at(name)}\n`).join(''));
    const result = await svn.ask('svn', doing, ['info', '--xml', '--targets', targets]);
    if (result.code !== 0 && !NONE.test(result.stderr)) throw svn.failure(result, doing);
    const found = [...result.stdout.matchAll(/<entry\b[^>]*\bkind="(\w+)"[^>]*>[\s\S]*?<url>([^<]*)<\/url>/g)];
    const urls = found.flatMap(([, is, each = '']) => (kind === 'any' || is === kind ? [each] : []));
    // Servers may write the address in another way; what is below it they do not: names have as many parts as it ends with.
    const ends = new Set(urls.flatMap((each) => endsOf(each)));
    return new Set(names.filter((name) => ends.has(name)));
  };

  /** False when somebody else was quicker. */
  const commit = async (doing: string): Promise<boolean> => {
    const puts = [...staged].flatMap(([name, file]) => (file === undefined ? [] : [{ name, file }]));
    const removals = [...staged].flatMap(([name, file]) => (file === undefined ? [name] : []));
    const dirs = directoriesOf(puts.map(({ name }) => name));
    const there = await present(doing, [...dirs, ...removals]);
    const gone = removals.filter((name) => there.has(name));
    const emptied = await emptiedBy(doing, gone, dirs);
    const acts = [
      ...dirs.filter((dir) => !there.has(dir)).map((dir) => ['mkdir', dir]),
      ...puts.map(({ name, file }) => ['put', file.path, name]),
      ...gone.filter((name) => !emptied.some((dir) => name.startsWith(`${dir}/`))).map((name) => ['rm', name]),
      ...emptied.map((dir) => ['rm', dir]),
    ];
    if (acts.length === 0) return true;
    const script = await scratch.write('acts', `${acts.flat().join('\n')}\n`);
    const bytes = puts.reduce((sum, { file }) => sum + file.size, 0);
    const message = `aegir: ${puts.length} put, ${removals.length} removed`;
    const result = await svn.ask('svnmucc', doing, ['-m', message, '-U', url, '-X', script], carryMs(bytes));
    if (result.code === 0) return true;
    if (RACED.test(result.stderr)) return false;
    throw svn.failure(result, doing);
  };

  /** Directories that have nothing but what goes, and nothing that comes. */
  const emptiedBy = async (
    doing: string,
    gone: readonly string[],
    used: readonly string[],
  ): Promise<readonly string[]> => {
    const going = new Set(gone);
    const dirs = [...new Set(gone.map((name) => partsOf(name).dirs.join('/')))].filter(
      (dir) => dir !== '' && !used.includes(dir),
    );
    const emptied: string[] = [];
    for (const dir of dirs) {
      const entries = await look(doing, [at(dir)]);
      if (entries.every(({ name }) => going.has(`${dir}/${name}`))) emptied.push(dir);
    }
    return emptied;
  };

  if (
    (
      await must(
        svn.ask('svn', 'open the store', ['info', '--show-item', 'kind', '--', url], OPEN_MS),
        'open the store',
      )
    ).trim() !== 'dir'
  ) {
    throw new AegirError('failed_precondition', `cannot open the store: ${where} is no directory; correct the url`);
  }

  const stat = async (name: string): Promise<StoredObject | undefined> => {
    if (staged.has(name)) {
      const file = staged.get(name);
      return file === undefined ? undefined : { name, size: file.size };
    }
    const [entry, ...more] = await look(`look for object ${name}`, [at(name)]);
    return entry?.kind !== 'file' || more.length > 0 ? undefined : { name, size: entry.size };
  };

  return {
    maxObjectBytes: MAX_OBJECT,
    where,
    async put(name, file) {
      const before = staged.get(name);
      staged.set(name, file);
      if (before !== undefined) await scratch.discard(before.path);
    },
    async get(name, path) {
      const file = staged.get(name);
      if (file !== undefined) await copyFile(file.path, path);
      const found = await stat(name);
      if (found === undefined) return false;
      if (file !== undefined) return true;
      const doing = `get object ${name}`;
      await must(svn.ask('svn', doing, ['export', '--quiet', '--', at(name), path], carryMs(found.size ?? 0)), doing);
      return true;
    },
    stat,
    async present(names) {
      const unknown = names.filter((name) => !staged.has(name));
      const there = await present('look for objects', unknown, 'file');
      return names.map((name) => there.has(name) || staged.get(name) !== undefined);
    },
    async list(prefix) {
      const entries = await look('list objects', ['--recursive', url]);
      const names = new Map(entries.filter(({ kind }) => kind === 'file').map(({ name, size }) => [name, size]));
      for (const [name, file] of staged) {
        if (file === undefined) names.delete(name);
        else names.set(name, file.size);
      }
      return [...names]
        .filter(([name]) => isObjectName(name) && name.startsWith(prefix))
        .map(([name, size]) => ({ name, size }));
    },
    async remove(name) {
      const before = staged.get(name);
      staged.set(name, undefined);
      if (before !== undefined) await scratch.discard(before.path);
    },
    async flush() {
      const doing = 'commit to the store';
      for (let left = TRIES; staged.size > 0; left -= 1) {
        if (left === 0)
          throw new AegirError('aborted', `cannot ${doing}: others commit to ${where} all the time; try again`);
        if (!(await commit(doing))) continue;
        for (const file of staged.values()) if (file !== undefined) await scratch.discard(file.path);
        staged.clear();
      }
    },
    close: async () => {},
  };
}

/** The last one to four parts of an address. */
function endsOf(url: string): readonly string[] {
  const parts = url.split('/').slice(-4);
  return parts.map((_, at) => parts.slice(at).join('/'));
}

interface Entry {
  readonly kind: string;
  readonly name: string;
  readonly size: number;
}

/** Of svn list --xml; names of objects have nothing that XML writes otherwise. */
function entriesIn(xml: string): readonly Entry[] {
  return [...xml.matchAll(/<entry\s+kind="(file|dir)">\s*<name>([^<]*)<\/name>\s*(?:<size>([0-9]+)<\/size>)?/g)].map(
    ([, kind = '', name = '', size = '0']) => ({ kind, name, size: Number(size) }),
  );
}
