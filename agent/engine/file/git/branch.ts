// Objects as blobs of one branch. What is put and removed becomes one commit, pushed without force: when somebody else was
// quicker, it is made anew on top of theirs. Blobs are fetched when they are got, where the server can leave them out.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import { isObjectName } from '../object-name.ts';
import type { Scratch } from '../scratch.ts';
import { type Carrier, carryMs } from '../spooled-store.ts';
import type { Repository } from './repository.ts';

/** Servers refuse larger ones (GitHub at 100 MB), and git keeps them whole in memory. */
const MAX_OBJECT = 64 * 1024 * 1024;
const BASE = 'refs/aegir/base';
const TRIES = 8;
const FETCH_MS = 3600_000;
const OPEN_MS = 30_000;
/** What is said when a blob that was left out cannot be had by itself: the server speaks an older protocol. */
const LEFT_OUT = /could not fetch|promisor|not our ref|unadvertised object/i;
const RACED = /non-fast-forward|fetch first|cannot lock ref|reference already exists|failed to update ref|stale info/i;

export async function openBranch(repository: Repository, branch: string, scratch: Scratch): Promise<Carrier> {
  const { git, ask, where } = repository;
  const remote = `refs/heads/${branch}`;
  /** Blobs of the branch by the names of objects, as they are there. */
  let there = new Map<string, string>();
  let base: string | undefined;
  /** Not pushed yet; undefined for what is to go. */
  const staged = new Map<string, string | undefined>();
  let stagedBytes = 0;

  let filter: readonly string[] = ['--filter=blob:none'];

  const fetch = async (doing: string): Promise<void> => {
    const seen = await ask(doing, ['ls-remote', '--exit-code', 'origin', remote], { timeoutMs: OPEN_MS });
    if (seen.code === 2) {
      [there, base] = [new Map(), undefined];
      return;
    }
    if (seen.code !== 0) throw repository.failure(seen, doing);
    const fetched = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--depth=1', ...filter];
    await git(doing, [...fetched, 'origin', `+${remote}:${BASE}`], { timeoutMs: FETCH_MS });
    base = (await git(doing, ['rev-parse', '--verify', BASE])).trim();
    there = blobsOf(await git(doing, ['ls-tree', '-r', '-z', '--full-tree', base]));
  };

  /** Fetches the whole branch, once, when that is the only way. */
  const whole = async <T>(doing: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (thrown) {
      const left = thrown instanceof AegirError && thrown.cause instanceof Error && LEFT_OUT.test(thrown.cause.message);
      if (!left || filter.includes('--refetch')) throw thrown;
      filter = ['--refetch', '--no-filter'];
      await fetch(doing);
      return await act();
    }
  };

  const blobOf = (name: string): string | undefined => (staged.has(name) ? staged.get(name) : there.get(name));

  /** False when somebody else was quicker. */
  const push = async (doing: string): Promise<boolean> => {
    await git(doing, base === undefined ? ['read-tree', '--empty'] : ['read-tree', base]);
    const lines = [...staged].map(([name, blob]) =>
      blob === undefined ? `0 ${'0'.repeat(40)}\t${name}\0` : `100644 ${blob}\t${name}\0`,
    );
    await git(doing, ['update-index', '-z', '--index-info'], { input: lines.join('') });
    const tree = (await git(doing, ['write-tree', '--missing-ok'])).trim();
    if (base !== undefined && tree === (await git(doing, ['rev-parse', `${base}^{tree}`])).trim()) return true;
    const parent = base === undefined ? [] : ['-p', base];
    const message = `aegir: ${[...staged.values()].filter((blob) => blob !== undefined).length} put, ${[...staged.values()].filter((blob) => blob === undefined).length} removed`;
    const commit = (await git(doing, ['commit-tree', tree, ...parent, '-m', message])).trim();
    const pushed = await ask(doing, ['push', '--quiet', '--no-verify', '--no-thin', 'origin', `${commit}:${remote}`], {
      timeoutMs: carryMs(stagedBytes),
    });
    if (pushed.code !== 0) {
      if (RACED.test(pushed.stderr)) return false;
      throw repository.failure(pushed, doing);
    }
    await git(doing, ['update-ref', BASE, commit]);
    base = commit;
    return true;
  };

  const unpack = async (doing: string, blob: string, path: string): Promise<void> => {
    const said = await whole(doing, () => git(doing, ['unpack-file', blob], { timeoutMs: FETCH_MS }));
    const made = said.trim();
    if (!/^\.merge_file_[A-Za-z0-9]+$/.test(made)) throw new AegirError('internal', 'cannot read what git unpacked');
    await rename(join(scratch.dir, made), path);
  };

  await fetch('open the store');
  return {
    maxObjectBytes: MAX_OBJECT,
    where,
    async put(name, { path, size }) {
      try {
        const said = await git(`put object ${name}`, ['hash-object', '-w', '--no-filters', '--', path]);
        staged.set(name, said.trim());
        stagedBytes += size;
      } finally {
        await scratch.discard(path);
      }
    },
    async get(name, path) {
      const blob = blobOf(name);
      if (blob === undefined) return false;
      await unpack(`get object ${name}`, blob, path);
      return true;
    },
    /** All blobs by one fetch. */
    async bring(files) {
      const blobs = new Map(
        [...files].flatMap(([name, path]) => {
          const blob = blobOf(name);
          return blob === undefined ? [] : [[path, blob] as const];
        }),
      );
      if (blobs.size === 0) return;
      const doing = `get ${blobs.size} objects`;
      const args = ['-c', 'fetch.negotiationAlgorithm=noop', 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head'];
      const input = [...new Set(blobs.values())].map((blob) => `${blob}\n`).join('');
      await whole(doing, async () => {
        if (!filter.includes('--filter=blob:none')) return;
        await git(doing, [...args, '--filter=blob:none', '--stdin', 'origin'], { input, timeoutMs: FETCH_MS });
      });
      for (const [path, blob] of blobs) await unpack(doing, blob, path);
    },
    // A size that is not known without fetching the blob is not told.
    stat: async (name) => (blobOf(name) === undefined ? undefined : { name, size: undefined }),
    present: async (names) => names.map((name) => blobOf(name) !== undefined),
    list: async (prefix) =>
      [...new Set([...there.keys(), ...staged.keys()])]
        .filter((name) => name.startsWith(prefix) && blobOf(name) !== undefined)
        .map((name) => ({ name, size: undefined })),
    async remove(name) {
      if (there.has(name)) staged.set(name, undefined);
      else staged.delete(name);
    },
    async flush() {
      const doing = 'push to the store';
      for (let left = TRIES; staged.size > 0; left -= 1) {
        if (left === 0)
          throw new AegirError('aborted', `cannot ${doing}: others push to ${where} all the time; try again`);
        if (await whole(doing, () => push(doing))) {
          for (const [name, blob] of staged) {
            if (blob === undefined) there.delete(name);
            else there.set(name, blob);
          }
          staged.clear();
          stagedBytes = 0;
        } else await fetch(doing);
      }
    },
    close: repository.close,
  };
}

/** Of ls-tree -r -z: mode, type, id, tab, name. Links and submodules are not ours. */
function blobsOf(listing: string): Map<string, string> {
  const blobs = new Map<string, string>();
  for (const entry of listing.split('\0')) {
    const [, id, name] = /^100(?:644|755) blob ([0-9a-f]{40,64})\t(.+)$/.exec(entry) ?? [];
    if (id !== undefined && name !== undefined && isObjectName(name)) blobs.set(name, id);
  }
  return blobs;
}
