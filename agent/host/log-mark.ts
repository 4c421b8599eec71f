// A place in a log file that grows: what came after it, in bounds. Tells why a daemon failed, or that it is ready.
import { open, stat } from 'node:fs/promises';

const MOST = 64 * 1024;

export interface LogMark {
  /** What was appended since the mark; at most the last 64 KiB. */
  since(): Promise<string>;
}

export async function markLog(path: string): Promise<LogMark> {
  const start = await sizeOf(path);
  return {
    async since() {
      const size = await sizeOf(path);
      // Shorter than before: it was rotated, all of it is new.
      return readFrom(path, Math.max(size < start ? 0 : start, size - MOST), size);
    },
  };
}

/** The last lines of a log, for an error message. */
export async function logEnd(path: string, lines = 15): Promise<string> {
  const size = await sizeOf(path);
  return lastLines(await readFrom(path, Math.max(0, size - MOST), size), lines);
}

export function lastLines(text: string, lines: number): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0; // not written yet
  }
}

async function readFrom(path: string, start: number, end: number): Promise<string> {
  if (end <= start) return '';
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(end - start);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
