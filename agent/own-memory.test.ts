// That an agent at rest gives memory back, and finds what is its own to give.
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { createOwnMemory, ownCode } from './own-memory.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('only the own program counts, where it cannot be written', () => {
  const own = process.execPath;
  const maps = [
    `003ff000-00400000 rw-p 00000000 fe:00 99 ${own}`,
    `00400000-0082e000 r--p 00001000 fe:00 99 ${own}`,
    `0082e000-03489000 r-xp 0042f000 fe:00 99 ${own}`,
    '7f0000000000-7f0000001000 r-xp 00000000 fe:00 7 /usr/lib/libc.so.6',
    '7f0000002000-7f0000003000 rw-p 00000000 00:00 0 ',
  ].join('\n');
  expect(ownCode(maps)).toEqual([
    { begin: 0x40_0000n, end: 0x82_e000n },
    { begin: 0x82_e000n, end: 0x348_9000n },
  ]);
  expect(ownCode(readFileSync('/proc/self/maps', 'latin1')).length).toBeGreaterThan(0);
});

test('memory is left alone while something is at work, and given back once after two quiet looks', () => {
  vi.useFakeTimers();
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  let busy = true;
  const memory = createOwnMemory({ busy: () => busy, log, everyMs: 1_000 });
  memory.start();
  vi.advanceTimersByTime(3_000);
  busy = false;
  vi.advanceTimersByTime(1_000);
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('gave memory back');
  memory.stop();
});
