// Gives memory back to the system while the agent has nothing to do: what work and the start itself have touched would
// stay resident for months otherwise, on hosts that are bought to serve sites.
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Logger } from 'pino';

export interface OwnMemoryOptions {
  /** Whether anything is at work; memory is left alone then. */
  readonly busy: () => boolean;
  readonly log: Logger;
  /** Between two looks. Default 15 s. */
  readonly everyMs?: number;
}

export interface OwnMemory {
  start(): void;
  stop(): void;
}

/** Less than this was gained since last time: not worth the pause of some 50 ms. */
const WORTH_BYTES = 6 * 1024 * 1024;

export function createOwnMemory({ busy, log, everyMs = 15_000 }: OwnMemoryOptions): OwnMemory {
  let timer: NodeJS.Timeout | undefined;
  let least = 0;
  let wasBusy = true;

  /** Two quiet looks in a row, so that a pause between two actions of a task is not taken for rest. */
  const look = () => {
    const quiet = !busy() && !wasBusy;
    wasBusy = busy();
    if (!quiet || process.memoryUsage.rss() < least + WORTH_BYTES) return;
    const before = process.memoryUsage.rss();
    try {
      giveBack();
    } catch (error) {
      // Only comfort: the system reclaims pages under pressure, too.
      log.warn({ err: error }, 'cannot give memory back; not tried again until the agent starts anew');
      clearInterval(timer);
      return;
    }
    least = process.memoryUsage.rss();
    log.debug({ before, after: least }, 'gave memory back');
  };

  return {
    start() {
      timer = setInterval(look, everyMs);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}

function giveBack(): void {
  collect();
  // Not imported: Node warns of it as experimental, which has no place in what the agent's other commands say.
  const { dlopen } = process.getBuiltinModule('node:ffi');
  const { functions, lib } = dlopen('libc.so.6', {
    malloc_trim: { return: 'i32', arguments: ['u64'] },
    madvise: { return: 'i32', arguments: ['u64', 'u64', 'i32'] },
  });
  try {
    functions.malloc_trim(0n);
    // madvise(2): clean pages are dropped and come from the disk again when they are used, changed ones are kept. A
    // kernel before 5.4 answers EINVAL, and all stays as it was.
    for (const { begin, end } of ownCode(readFileSync('/proc/self/maps', 'latin1')))
      functions.madvise(begin, end - begin, MADV_PAGEOUT);
  } finally {
    lib.close();
  }
}

const MADV_PAGEOUT = 21;

/** Where the program's own file is mapped and cannot be written; proc(5), maps. */
export function ownCode(maps: string): readonly { readonly begin: bigint; readonly end: bigint }[] {
  return maps.split('\n').flatMap((line) => {
    const [, begin, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ [1-9]\d*\s+(.*)$/.exec(line) ?? [];
    return path === process.execPath ? [{ begin: BigInt(`0x${begin}`), end: BigInt(`0x${end}`) }] : [];
  });
}

/** The collection that V8 makes when memory is short: it gives up compiled code that was not used lately, too. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => void;
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
