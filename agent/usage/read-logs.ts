// Counts what is new in the access logs of one site: each file from where it was read to last, whatever it is called by
// now. Counts and place are kept in one transaction for each piece, so that a kill at any moment neither loses a line nor
// counts one twice. A file that became shorter (cut by somebody else) is read from its start.
import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../shared/digest.ts';
import { trafficIn } from './access-log.ts';
import { accessLogs } from './log-names.ts';
import type { ReadMark, UsageTable } from './usage-table.ts';

/** Read at a time, and the longest line there is. */
const PIECE = 1024 * 1024;
const HEAD = 256;
const NEWLINE = 10;

/** directory: of the site's logs. days: the first and the last that counts; others are a clock gone wrong. */
export async function readLogs(
  siteId: string,
  directory: string,
  table: UsageTable,
  days: { readonly first: string; readonly last: string },
): Promise<void> {
  const files: string[] = [];
  for (const name of accessLogs(await namesIn(directory))) {
    const handle = await openLog(join(directory, name));
    if (handle === undefined) continue;
    try {
      const { dev, ino } = await handle.stat({ bigint: true });
      const file = `${dev}:${ino}`;
      files.push(file);
      await readOne(handle, siteId, file, table, days);
    } finally {
      await handle.close();
    }
  }
  table.keepMarks(siteId, files);
}

/** How far a log was read; whether that is all of it. */
export async function isReadWhole(siteId: string, path: string, table: UsageTable): Promise<boolean> {
  const handle = await openLog(path);
  if (handle === undefined) return true;
  try {
    const { dev, ino, size } = await handle.stat({ bigint: true });
    return (table.mark(siteId, `${dev}:${ino}`)?.offset ?? 0) >= Number(size);
  } finally {
    await handle.close();
  }
}

async function readOne(
  handle: FileHandle,
  siteId: string,
  file: string,
  table: UsageTable,
  days: { readonly first: string; readonly last: string },
): Promise<void> {
  const known = table.mark(siteId, file);
  const { size } = await handle.stat();
  let mark: ReadMark = { offset: 0, headLength: 0, head: '' };
  if (known !== undefined && known.offset <= size && (await headOf(handle, known.headLength)) === known.head)
    mark = known;
  const buffer = Buffer.allocUnsafe(PIECE);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, PIECE, mark.offset);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
    // The rest of a line comes with the next look; what is longer than any line is none.
    const taken = end === 0 && bytesRead === PIECE ? PIECE : end;
    if (taken === 0) return;
    const counted = trafficIn(buffer.toString('latin1', 0, taken));
    for (const day of [...counted.keys()]) if (day < days.first || day > days.last) counted.delete(day);
    const offset = mark.offset + taken;
    const headLength = mark.headLength > 0 ? mark.headLength : Math.min(HEAD, offset);
    const head = mark.headLength > 0 ? mark.head : await headOf(handle, headLength);
    mark = { offset, headLength, head };
    table.count(siteId, file, mark, counted);
  }
}

async function headOf(handle: FileHandle, length: number): Promise<string> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = length === 0 ? { bytesRead: 0 } : await handle.read(buffer, 0, length, 0);
  return sha256Hex(buffer.subarray(0, bytesRead));
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

/** undefined when it is gone, or is no file but a link that somebody put there. */
async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    if (['ENOENT', 'ELOOP'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw thrown;
  }
}
