import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActionResult } from '../shared/gen/aegir/v1/agent.ts';
import { type JournalOptions, openJournal } from './journal.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-journal-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const base: JournalOptions = { boot: 'b1', serverId: 'srv-1', now: Date.now };
const open = (part: Partial<JournalOptions> = {}) => openJournal(dir, { ...base, ...part });
const done = (actionId: string): ActionResult => ({
  actionId,
  changes: ['made it'],
  outcome: { $case: 'ok', value: { messages: [], findings: [], platform: undefined, ports: [] } },
});

describe('journal', () => {
  test('remembers starts, results and generations across boots, forgets on demand', () => {
    const first = open();
    first.started('a', 5n, 'site/x');
    first.started('b', 2n, 'site/y');
    first.ended('b', 'site/y', done('b'));
    first.raise('site/z', 9_007_199_254_740_993n);
    first.close();
    const second = open({ boot: 'b2' });
    expect(second.look('a')).toEqual({ boot: 'b1', resource: 'site/x', result: undefined });
    expect(second.look('b')?.result).toEqual(done('b'));
    expect(second.open()).toEqual(['a', 'b']);
    expect(second.results()).toEqual([done('b')]);
    expect(second.highest('site/x')).toBe(5n);
    expect(second.highest('site/z')).toBe(9_007_199_254_740_993n);
    expect(second.highest('site/none')).toBe(0n);
    second.started('a', 6n, 'site/x');
    expect(second.look('a')?.boot).toBe('b2');
    second.forget('a');
    second.forget('b');
    expect(second.open()).toEqual([]);
    expect(second.highest('site/x')).toBe(6n);
    second.close();
  });

  test('a lower generation lowers nothing', () => {
    const journal = open();
    journal.raise('r', 7n);
    journal.raise('r', 3n);
    journal.started('a', 2n, 'r');
    expect(journal.highest('r')).toBe(7n);
    journal.close();
  });

  test('its files are for the agent alone', () => {
    const journal = open();
    journal.started('a', 1n, 'r');
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
    journal.close();
  });

  test('a second agent on the same state is refused', () => {
    const journal = open();
    expect(() => open()).toThrow(/another agent runs on it/);
    journal.close();
    open().close();
  });

  test('another identity begins an empty one', () => {
    const journal = open();
    journal.started('a', 4n, 'r');
    journal.close();
    const other = open({ serverId: 'srv-2' });
    expect(other.open()).toEqual([]);
    expect(other.highest('r')).toBe(0n);
    other.close();
  });

  test('is bounded: old resources and results of long ago go, too many open actions are said', () => {
    const day = 24 * 3600 * 1000;
    let now = 0;
    const journal = open({ now: () => now });
    journal.ended('old', 'r', done('old'));
    journal.started('running', 1n, 'r');
    for (let i = 0; i < 20; i++) {
      now += 1;
      journal.raise(`r${i}`, 1n);
    }
    journal.close();
    now = 31 * day;
    const later = open({ now: () => now, maxResources: 5, maxOpen: 2 });
    expect(later.open()).toEqual(['running']);
    expect(later.highest('r14')).toBe(0n);
    expect(later.highest('r15')).toBe(1n);
    expect(later.full()).toBe(false);
    later.started('more', 1n, 'r19');
    expect(later.full()).toBe(true);
    later.close();
  });

  test('a torn end of the log loses only what was not committed', async () => {
    const script = `
      import { openJournal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).pathname)};
      const journal = openJournal(process.argv[1], { boot: 'b', serverId: 'srv-1', now: Date.now });
      for (let i = 0; i < 20; i++) journal.started('a' + i, 1n, 'r');
      process.kill(process.pid, 'SIGKILL');
    `;
    await once(spawn(process.execPath, ['--input-type=module-typescript', '-e', script, dir]), 'exit');
    const wal = join(dir, 'journal.db-wal');
    truncateSync(wal, statSync(wal).size - 100); // in the middle of the last record
    const journal = open();
    expect(journal.open()).toEqual(Array.from({ length: 19 }, (_, i) => `a${i}`));
    journal.started('again', 1n, 'r');
    journal.close();
  });

  test('killed at any moment, it holds all that it had promised', async () => {
    const script = `
      import { writeSync } from 'node:fs';
      import { openJournal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).pathname)};
      const journal = openJournal(process.argv[1], { boot: process.argv[2], serverId: 'srv-1', now: Date.now });
      for (let i = 0; ; i++) {
        const id = process.argv[2] + '.' + i;
        journal.started(id, BigInt(i + 1), 'r' + (i % 3));
        writeSync(1, 's ' + id + '\\n');
        journal.ended(id, 'r', { actionId: id, changes: [], outcome: undefined });
        writeSync(1, 'e ' + id + '\\n');
        if (i >= 2) { journal.forget(process.argv[2] + '.' + (i - 2)); }
      }
    `;
    for (let round = 0; round < 8; round++) {
      const boot = `boot${round}`;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script, dir, boot]);
      let said = '';
      let enough = () => {};
      const begun = new Promise<void>((resolve) => {
        enough = resolve;
      });
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk;
        if (said.split('\n').length > 10 + 7 * round) enough();
      });
      await begun;
      const exit = once(child, 'close');
      child.kill('SIGKILL');
      await exit;
      const promised = said
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split(' ') as [string, string]);
      const number = (id: string) => Number(id.split('.')[1]);
      const last = number(promised.at(-1)?.[1] ?? '');
      const journal = open({ boot: 'look' });
      for (const [what, id] of promised.filter(([, id]) => number(id) > last - 2)) {
        const entry = journal.look(id);
        expect(entry?.boot, id).toBe(boot);
        if (what === 'e') expect(entry?.result?.actionId, id).toBe(id);
      }
      expect(journal.highest(`r${last % 3}`)).toBeGreaterThanOrEqual(BigInt(last + 1));
      for (const id of journal.open()) journal.forget(id);
      journal.close();
    }
  }, 30_000);

  test('what is no journal, and one of a newer agent, are refused clearly', () => {
    open().close();
    const db = new DatabaseSync(join(dir, 'journal.db'));
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => open()).toThrow(/a newer agent wrote it/);
    writeFileSync(join(dir, 'journal.db'), 'x'.repeat(8192));
    expect(() => open()).toThrow(/cannot open the journal .*move it away/);
  });
});
