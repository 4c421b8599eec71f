// The events of a server's binary log between two places, from its files as they grow: whole, and with right checksums.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import {
  HEADER_BYTES,
  hasChecksums,
  type LogEvent,
  MOST_EVENT_BYTES,
  sizeOf,
  withoutChecksum,
} from './binlog-event.ts';
import type { Place } from './binlog-place.ts';

/** What every file of it begins with. */
const MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const BLOCK_BYTES = 1024 * 1024;
const IGNORABLE = 0x80;

export interface Log {
  /** Of the server's @@log_bin_basename. */
  readonly base: string;
  /** Names of its files, in order. */
  readonly files: readonly string[];
}

/** Throws not_found when the log does not go back so far any more. What ends before to ends at it. */
export async function* readLog({ base, files }: Log, from: Place, to: Place): AsyncGenerator<LogEvent> {
  const [first, last] = [files.indexOf(from.file), files.indexOf(to.file)];
  if (first === -1 || last < first) {
    throw new AegirError('not_found', 'cannot read the binary log: it does not go back so far any more');
  }
  for (const file of files.slice(first, last + 1)) {
    const begin = file === from.file ? from.offset : MAGIC.length;
    yield* readFile(join(dirname(base), file), file, begin, file === to.file ? to.offset : undefined);
  }
}

async function* readFile(path: string, file: string, begin: number, end: number | undefined): AsyncGenerator<LogEvent> {
  // Its directory is the server's: a link there leads nowhere.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const size = end ?? (await handle.stat()).size;
    const bytes = source(handle, size);
    if (!(await bytes(0, MAGIC.length)).equals(MAGIC)) throw damaged('it does not begin as one');
    const format = await bytes(MAGIC.length, await eventBytes(bytes, MAGIC.length));
    const checks = hasChecksums(format);
    for (let at = Math.max(begin, MAGIC.length + format.length); at < size; ) {
      const length = await eventBytes(bytes, at);
      const whole = await bytes(at, length);
      yield {
        ...{ type: whole[4] ?? 0, isIgnorable: (whole.readUInt16LE(17) & IGNORABLE) !== 0 },
        ...{ at: `${file}:${at}`, end: `${file}:${at + length}`, bytes: withoutChecksum(whole, checks) },
      };
      at += length;
    }
  } finally {
    await handle.close();
  }
}

type Bytes = (at: number, length: number) => Promise<Buffer>;

async function eventBytes(bytes: Bytes, at: number): Promise<number> {
  const length = sizeOf(await bytes(at, HEADER_BYTES));
  if (length < HEADER_BYTES) throw damaged('an event of it is too short');
  if (length <= MOST_EVENT_BYTES) return length;
  const why = 'a change in it is longer than 16 MiB';
  throw new AegirError('failed_precondition', `cannot read the binary log: ${why}`, { untouched: true });
}

/** Reads in blocks; what it answers holds until the next call. */
function source(handle: FileHandle, size: number): Bytes {
  let block: Buffer = Buffer.alloc(0);
  let blockAt = 0;
  return async (at, length) => {
    if (at + length > size) throw damaged('it is cut off');
    if (at < blockAt || at + length > blockAt + block.length) {
      const wanted = Buffer.allocUnsafe(Math.min(Math.max(length, BLOCK_BYTES), size - at));
      let got = 0;
      while (got < length) {
        const { bytesRead } = await handle.read(wanted, got, wanted.length - got, at + got);
        if (bytesRead === 0) throw damaged('it is cut off');
        got += bytesRead;
      }
      [block, blockAt] = [wanted.subarray(0, got), at];
    }
    return block.subarray(at - blockAt, at - blockAt + length);
  };
}

function damaged(why: string): AegirError {
  return new AegirError('data_loss', `cannot read the binary log: ${why}`);
}
