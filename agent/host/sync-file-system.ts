// Makes all that was written on a file system durable at once, where its kind is known to do that (of FUSE the kernel asks
// nothing when a whole file system is to be synced). Node has no syncfs(2); sync(1) has. What Node starts begins as a copy of
// its memory, which costs more than the sync where that is large: so a shell is started once, which starts sync(1) each time.
import type { FileHandle } from 'node:fs/promises';
import { statfs } from 'node:fs/promises';
import { AegirError } from '../../shared/error.ts';
import { ourselves } from './process.ts';
import { createSerial } from './serial.ts';
import { createStream } from './stream.ts';

/** Magic numbers of statfs(2): ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, NFS, overlay. */
const KNOWN: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x6969, 0x794c7630,
]);
const WITHIN_MS = 30 * 60_000;
/** For each line that it reads: a line that is empty, or says why it failed. */
const SHELL =
  'while read -r _; do if why=$(/usr/bin/sync --file-system -- "$1" 2>&1); then echo; ' +
  'else [ -n "$why" ] || why=failed; echo "$why" | tr "\\n" " "; echo; fi; done';
const MOST_WORDS = 300;

export interface SyncAll {
  /** What was written before on the file system is durable when it resolves. */
  sync(): Promise<void>;
  /** Of use no more. */
  close(): Promise<void>;
}

/** Of the file system of an open directory; undefined where each file needs a sync of its own. */
export async function syncAllOf(directory: FileHandle): Promise<SyncAll | undefined> {
  // By this process's descriptor: the file system that is open here, whatever is mounted at its path by now.
  const path = `/proc/${process.pid}/fd/${directory.fd}/.`;
  if (!KNOWN.has((await statfs(path)).type)) return undefined;
  const serial = createSerial();
  let shell: Shell | undefined;
  return {
    sync: () =>
      serial(async () => {
        shell ??= startShell(path);
        const asked = shell;
        const why = await asked.ask().catch((thrown: Error) => thrown.message);
        if (why === '') return;
        // Whatever became of it: the next time has a new one.
        shell = undefined;
        await asked.end();
        throw new AegirError('internal', `cannot make files durable: ${why.slice(-MOST_WORDS)}`);
      }),
    close: () => serial(async () => shell?.end()),
  };
}

interface Shell {
  /** Empty, or why not. */
  ask(): Promise<string>;
  end(): Promise<void>;
}

function startShell(path: string): Shell {
  let asked = Promise.withResolvers<boolean>();
  const input = async function* () {
    while (await asked.promise) {
      asked = Promise.withResolvers<boolean>();
      yield Buffer.from('\n');
    }
  };
  const said = createStream(async () => ourselves())({
    argv: ['/bin/sh', '-c', SHELL, 'sync', path],
    input: input(),
    idleMs: WITHIN_MS,
    failed: ({ code, stderr }) =>
      new AegirError('internal', `the shell that starts sync ended: ${stderr.trim() || code}`),
  })[Symbol.asyncIterator]();
  return {
    async ask() {
      asked.resolve(true);
      let line = '';
      while (!line.includes('\n')) {
        const { done, value } = await said.next();
        if (done === true) return 'the shell that starts sync ended';
        line += Buffer.from(value).toString();
      }
      return line.trim();
    },
    async end() {
      asked.resolve(false);
      await said.return?.();
    },
  };
}
