// When a site was last asked for, by the end of its access logs. What Aegir itself asks (probes of a page, challenges of an
// authority) is no visitor.
import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { requestIn } from './access-log.ts';
import { accessLogs } from './log-names.ts';

const PIECE = 256 * 1024;
/** Of each log: thousands of probes in a row are read, a log of any size is not. */
const MOST = 16 * 1024 * 1024;

/** ms since 1970; undefined for none. directory: of the site's logs. */
export async function lastRequest(directory: string, signal: AbortSignal): Promise<number | undefined> {
  const names = await readdir(directory).catch(() => []);
  let last: number | undefined;
  // A worker of before a rotation may still write to the one that was put aside.
  for (const name of [...accessLogs(names)].reverse().slice(0, 3)) {
    const at = await lastIn(join(directory, name), signal);
    if (at !== undefined && (last === undefined || at > last)) last = at;
  }
  return last;
}

async function lastIn(path: string, signal: AbortSignal): Promise<number | undefined> {
  const handle = await openLog(path);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    let rest = '';
    for (let end = size; end > 0 && size - end < MOST; ) {
      signal.throwIfAborted();
      const begin = Math.max(0, end - PIECE);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - begin), 0, end - begin, begin);
      const lines = `${buffer.toString('latin1', 0, bytesRead)}${rest}`.split('\n');
      // Its beginning may lie in the piece before.
      rest = begin === 0 ? '' : (lines.shift() ?? '').slice(0, PIECE);
      for (const line of lines.reverse()) {
        const at = requestIn(line);
        if (at !== undefined) return at;
      }
      end = begin;
    }
    return undefined;
  } finally {
    await handle.close();
  }
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined; // gone meanwhile, or a link that somebody put there
  }
}
