// Files of the host: atomic, durable, with the owner and mode asked for; symbolic links are replaced, never followed.
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lchown, lstat, mkdir, open, readdir, readlink, rename, stat, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { anchored } from './anchored.ts';
import type { FileOptions, Files } from './host.ts';
import { ourselves, runProcess } from './process.ts';
import { createSerial } from './serial.ts';

/** Most that read answers: configuration and code, never data. */
const MAX_READ = 16 * 1024 * 1024;
const TEMPORARY = '.aegir-tmp-';
const REMOVE_TIMEOUT_MS = 30 * 60_000;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** ownerOf says who gets what is written; without names in the options, the agent's own. */
export function createFiles(ownerOf: (options: Pick<FileOptions, 'owner' | 'group'>) => Promise<Owner>): Files {
  // Temporary names are fixed, so that a crash leaves at most one per file; therefore one write at a time.
  const serial = createSerial();

  const place = (path: string, make: (temporary: string) => Promise<void>): Promise<void> =>
    anchored(path, async (at) => {
      const temporary = at.beside(basename(temporaryOf(path)));
      await unlessMissing(unlink(temporary));
      try {
        await make(temporary);
        await rename(temporary, at.path);
      } catch (thrown) {
        await unlessMissing(unlink(temporary));
        throw thrown;
      }
      await at.sync();
    });

  const makeDirectory = (path: string, mode: number, owner: Owner): Promise<void> =>
    anchored(path, async (at) => {
      try {
        await mkdir(at.path, { mode: 0o700 });
        await at.sync();
      } catch (thrown) {
        if (codeOf(thrown) !== 'EEXIST') throw thrown;
      }
      const handle = await open(at.path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        await dress(handle, mode, owner);
      } finally {
        await handle.close();
      }
    });

  return {
    read: (path) =>
      doing('read', path, async () => {
        const handle = await unlessMissing(open(path, constants.O_RDONLY | constants.O_NONBLOCK));
        if (handle === undefined) return undefined;
        try {
          const { size } = await regular(handle);
          if (size > MAX_READ) throw new Error(`it is larger than ${MAX_READ / 1024 / 1024} MiB`);
          return await handle.readFile('utf8');
        } finally {
          await handle.close();
        }
      }),

    write: (path, content, options) =>
      serial(() =>
        doing('write', path, async () => {
          const owner = await ownerOf(options);
          await place(path, async (temporary) => {
            const handle = await open(temporary, 'wx', 0o600);
            try {
              await handle.writeFile(content);
              await dress(handle, options.mode, owner);
              await handle.sync();
            } finally {
              await handle.close();
            }
          });
        }),
      ),

    matches: (path, content, options) =>
      doing('compare', path, async () => {
        const handle = await unlessMissing(
          open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((thrown) => {
            if (codeOf(thrown) === 'ELOOP') return undefined;
            throw thrown;
          }),
        );
        if (handle === undefined) return false;
        try {
          const facts = await handle.stat();
          const expected = Buffer.from(content);
          if (!facts.isFile() || facts.size !== expected.length) return false;
          if (!dressed(facts, options.mode, await ownerOf(options))) return false;
          return expected.equals(await handle.readFile());
        } finally {
          await handle.close();
        }
      }),

    directory: (path, options) =>
      doing('make directory', path, async () => {
        const ours = await ownerOf({});
        const missing: string[] = [];
        for (let up = dirname(path); (await unlessMissing(stat(up))) === undefined; up = dirname(up)) missing.push(up);
        for (const parent of missing.reverse()) await makeDirectory(parent, 0o755, ours);
        await makeDirectory(path, options.mode, await ownerOf(options));
      }),

    directoryMatches: (path, options) =>
      doing('compare', path, async () => {
        const facts = await unlessMissing(lstat(path));
        return facts?.isDirectory() === true && dressed(facts, options.mode, await ownerOf(options));
      }),

    link: (target, path) =>
      serial(() =>
        doing('link', path, async () => {
          const owner = await ownerOf({});
          await place(path, async (temporary) => {
            await symlink(target, temporary);
            await lchown(temporary, owner.uid, owner.gid);
          });
        }),
      ),

    readLink: (path) =>
      doing('read link', path, async () => {
        const facts = await unlessMissing(lstat(path));
        return facts?.isSymbolicLink() ? await readlink(path) : undefined;
      }),

    exists: (path) => doing('look for', path, async () => (await unlessMissing(lstat(path))) !== undefined),

    list: (path) =>
      doing('list', path, async () => {
        const names = (await unlessMissing(readdir(path))) ?? [];
        return names.filter((name) => !name.startsWith(TEMPORARY)).sort();
      }),

    remove: (path) =>
      doing('remove', path, async () => {
        if (path.split('/').filter((part) => part !== '').length < 2) throw new Error('it is too near to the root');
        if ((await unlessMissing(lstat(path))) === undefined) return;
        await anchored(path, async (at) => {
          const facts = await unlessMissing(lstat(at.path));
          if (facts === undefined) return;
          if (facts.isDirectory()) await removeTree(at.path);
          else await unlessMissing(unlink(at.path));
          await at.sync();
        });
      }),
  };
}

/** Where a write is prepared; the same every time, so that crashes do not pile up. */
export function temporaryOf(path: string): string {
  const digest = createHash('sha256').update(basename(path)).digest('hex').slice(0, 20);
  return join(dirname(path), TEMPORARY + digest);
}

/** By rm(1): it walks by descriptors, so that a tree's owner cannot have it follow a link put there meanwhile. */
async function removeTree(path: string): Promise<void> {
  const { code, stderr } = await runProcess(
    { argv: ['rm', '-rf', '--one-file-system', '--', path], timeoutMs: REMOVE_TIMEOUT_MS, maxOutput: 2000 },
    ourselves(),
  );
  if (code !== 0) throw new Error(stderr.trim() || `rm ended with ${code}`);
}

async function dress(handle: FileHandle, mode: number, owner: Owner): Promise<void> {
  const facts = await handle.stat();
  if (dressed(facts, mode, owner)) return;
  if (facts.uid !== owner.uid || facts.gid !== owner.gid) await handle.chown(owner.uid, owner.gid);
  await handle.chmod(mode); // after chown, which takes set-group-id away
}

function dressed(facts: Stats, mode: number, owner: Owner): boolean {
  return (facts.mode & 0o7777) === mode && facts.uid === owner.uid && facts.gid === owner.gid;
}

async function regular(handle: FileHandle): Promise<Stats> {
  const facts = await handle.stat();
  if (!facts.isFile()) throw new Error('it is no regular file');
  return facts;
}

async function unlessMissing<T>(act: Promise<T>): Promise<T | undefined> {
  try {
    return await act;
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
}

async function doing<T>(verb: string, path: string, act: () => Promise<T>): Promise<T> {
  if (!path.startsWith('/') || normalize(path) !== path || path.includes('\0')) {
    throw new AegirError('invalid_argument', `cannot ${verb} ${JSON.stringify(path)}: a plain absolute path is needed`);
  }
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof AegirError) throw cause;
    throw failure(verb, path, cause);
  }
}

function failure(verb: string, path: string, cause: unknown): AegirError {
  const cannot = `cannot ${verb} ${path}:`;
  switch (codeOf(cause)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new AegirError('resource_exhausted', `${cannot} the disk is full; free some space`, { cause });
    case 'EACCES':
    case 'EPERM':
      return new AegirError('permission_denied', `${cannot} the agent may not`, { cause });
    case 'EROFS':
      return new AegirError('failed_precondition', `${cannot} the file system is read-only`, { cause });
    case 'ENOENT':
      return new AegirError('failed_precondition', `${cannot} ${dirname(path)} does not exist`, { cause });
    case 'ELOOP':
      return new AegirError(
        'failed_precondition',
        `${cannot} it is a symbolic link, or lies behind one that somebody else could change; remove it`,
        { cause },
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return new AegirError(
        'failed_precondition',
        `${cannot} something else is there that is no directory; remove it`,
        { cause },
      );
    case 'EISDIR':
      return new AegirError('failed_precondition', `${cannot} a directory is there; remove it`, { cause });
    default:
      return new AegirError('internal', `${cannot} ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
  }
}
