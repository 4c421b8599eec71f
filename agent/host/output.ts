// Bounded capture of a process's output: the last bytes for the result, whole lines for whoever watches.
import { StringDecoder } from 'node:string_decoder';

const MAX_LINE = 64 * 1024;

export interface Tail {
  push(chunk: Uint8Array): void;
  text(): string;
}

/** Keeps the last `max` bytes; what is over is dropped from the front, never in the middle of a character. */
export function createTail(max: number): Tail {
  let chunks: Uint8Array[] = [];
  let size = 0;
  let dropped = false;

  const trim = (): Buffer => {
    const all = Buffer.concat(chunks);
    if (all.length <= max) return all;
    dropped = true;
    return all.subarray(all.length - max);
  };

  return {
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= 2 * max + 64 * 1024) return;
      const kept = trim();
      chunks = [kept];
      size = kept.length;
    },
    text() {
      let bytes = trim();
      if (dropped) {
        let start = 0;
        while (start < 4 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
        bytes = bytes.subarray(start);
      }
      return bytes.toString('utf8');
    },
  };
}

export interface Lines {
  push(chunk: Buffer): void;
  /** The last line, when it has no newline. */
  end(): void;
}

/** Cuts a stream into lines; one longer than 64 Ki characters is given in pieces. */
export function createLines(onLine: (line: string) => void): Lines {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const give = (line: string): void => onLine(line.endsWith('\r') ? line.slice(0, -1) : line);

  const take = (text: string): void => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) give(part);
    while (rest.length > MAX_LINE) {
      give(rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
  };

  return {
    push: (chunk) => take(decoder.write(chunk)),
    end() {
      take(decoder.end());
      if (rest !== '') give(rest);
      rest = '';
    },
  };
}
