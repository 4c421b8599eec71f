// A directory of our own for one connection to a file service: credentials, configuration and objects on their way, closed
// to everybody but the user that the programs run as, and removed at the end. What a crash left goes with the next start.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Command, CommandResult, Host } from '../../host/host.ts';
import { placeFailure } from './errno.ts';

const PIECE = 256 * 1024;
/** Programs of file services run as this user, who owns nothing else. */
const USER = 'aegir-file';
const MAX_OUTPUT = 64 * 1024 * 1024;

export interface Spooled {
  readonly path: string;
  readonly size: number;
}

export interface Scratch {
  readonly dir: string;
  path(name: string): string;
  /** A file that the programs may read; 0700 for those that they run. */
  write(name: string, content: string, mode?: 0o600 | 0o700): Promise<string>;
  spool(content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Spooled>;
  /** Path of a file that a program will make. */
  fresh(): string;
  /** What a program made, in pieces; removed when read to its end or left. */
  drain(path: string): AsyncIterable<Uint8Array>;
  discard(path: string): Promise<void>;
  /** A program of this service: as the user, in the directory, in a clean environment with what is given. */
  run(command: Omit<Command, 'cwd' | 'user' | 'maxOutput'>): Promise<CommandResult>;
  remove(): Promise<void>;
}

export type OpenScratch = (host: Host, signal: AbortSignal) => Promise<Scratch>;

/** One for all engines: its first use on a host removes what former starts of the agent left there. */
export function createScratches(): OpenScratch {
  const ours = randomBytes(6).toString('hex');
  const swept = new Map<string, Promise<void>>();
  const sweep = async ({ files, paths }: Host): Promise<void> => {
    for (const name of await files.list(paths.work)) {
      if (name.startsWith('file-') && !name.startsWith(`file-${ours}-`)) await files.remove(join(paths.work, name));
    }
  };
  return async (host, signal) => {
    const { work } = host.paths;
    const first = swept.get(work) ?? sweep(host);
    swept.set(work, first);
    await first;
    return openScratch(host, join(work, `file-${ours}-${randomBytes(6).toString('hex')}`), signal);
  };
}

async function openScratch(host: Host, dir: string, signal: AbortSignal): Promise<Scratch> {
  // On embedded hosts everything runs as one user anyway.
  const user = host.kind === 'systemd' ? (await host.users.ensure(USER, host.paths.work)).name : undefined;
  const owner = user === undefined ? {} : { owner: user, group: user };
  await host.files.directory(dir, { mode: 0o700, ...owner });
  const path = (name: string): string => join(dir, name);
  const fresh = (): string => path(`object-${randomBytes(8).toString('hex')}`);
  const discard = (file: string): Promise<void> => rm(file, { force: true });

  return {
    dir,
    path,
    fresh,
    discard,
    async write(name, content, mode = 0o600) {
      await host.files.write(path(name), content, { mode, ...owner });
      return path(name);
    },
    async spool(content) {
      const file = fresh();
      let size = 0;
      try {
        // Readable beyond its owner, in a directory that only the user of the programs enters.
        const handle = await open(file, 'wx', 0o644);
        try {
          for await (const piece of content) {
            await handle.writeFile(piece);
            size += piece.length;
          }
        } finally {
          await handle.close();
        }
      } catch (thrown) {
        await discard(file);
        throw placeFailure(thrown, 'keep an object on its way', host.paths.work);
      }
      return { path: file, size };
    },
    async *drain(file) {
      let handle: FileHandle | undefined;
      try {
        handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
        if (!(await handle.stat()).isFile()) throw new AegirError('internal', 'cannot read an object: it is no file');
        for (;;) {
          const buffer = Buffer.allocUnsafe(PIECE);
          const { bytesRead } = await handle.read(buffer, 0, PIECE);
          if (bytesRead === 0) return;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await handle?.close();
        await discard(file);
      }
    },
    run: (command) =>
      host.run({
        timeoutMs: 60_000,
        signal,
        ...command,
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: dir, LC_ALL: 'C.UTF-8', TMPDIR: dir, ...command.env },
        cwd: dir,
        maxOutput: MAX_OUTPUT,
        ...(user === undefined ? {} : { user }),
      }),
    remove: () => host.files.remove(dir),
  };
}
