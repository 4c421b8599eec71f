import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanSince } from './clean-since.ts';
import type { Libc } from './libc.ts';

const MINUTE = 60_000;
const T0 = 1_764_000_000_000;
const ns = (ms: number) => BigInt(ms) * 1_000_000n;
let dir: string;
let synced: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-clean-'));
  synced = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function since(at: number, wait = true): bigint {
  const libc = {
    syncFileSystem() {
      synced += 1;
    },
  } as unknown as Libc;
  return cleanSince(
    join(dir, 'cache', 'files.clean'),
    3,
    () => at,
    wait,
    () => libc,
  );
}

describe('since when pages are clean', () => {
  it('is a second before they were last written to the disk, at most once a minute', () => {
    expect([since(T0), synced]).toEqual([ns(T0 - 1000), 1]);
    expect([since(T0 + MINUTE - 1), synced]).toEqual([ns(T0 - 1000), 1]);
    expect([since(T0 + MINUTE), synced]).toEqual([ns(T0 + MINUTE - 1000), 2]);
  });

  it('is never, and waits for nothing, when nobody may wait and nothing was written', () => {
    expect([since(T0, false), synced]).toEqual([0n, 0]);
    since(T0);
    expect([since(T0 + 2 * MINUTE, false), synced]).toEqual([ns(T0 - 1000), 1]);
  });

  it.each([
    ['lies ahead, since the clock was set back', `${T0 + 1}\n`],
    ['is damaged', `${T0}`],
    ['is empty', ''],
  ])('is found anew when what is noted %s', (_, noted) => {
    since(T0 - MINUTE);
    writeFileSync(join(dir, 'cache', 'files.clean'), noted);
    expect([since(T0, false), synced]).toEqual([0n, 1]);
    expect([since(T0), synced]).toEqual([ns(T0 - 1000), 2]);
    expect(readFileSync(join(dir, 'cache', 'files.clean'), 'latin1')).toBe(`${T0}\n`);
  });
});
