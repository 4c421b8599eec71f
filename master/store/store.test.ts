// The suite on SQLite, and what only the embedded store has: one directory, one master, durable through kill -9.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeStore } from './conformance.ts';
import { openSqliteStore } from './open-sqlite.ts';

describeStore('SQLite', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-store-'));
  return {
    open: (options) => openSqliteStore({ dir, ...options }),
    remove: async () => rmSync(dir, { recursive: true }),
  };
});

describe('data directory', () => {
  let parent: string;
  let dir: string;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'aegir-store-'));
    dir = join(parent, 'deep', 'data');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await kill(child);
    rmSync(parent, { recursive: true });
  });

  /** Answers when the child has acknowledged count records; later ones go on being pushed to ids. */
  async function startWriter(run: number, count: number): Promise<{ child: ChildProcess; ids: string[] }> {
    const script = join(import.meta.dirname, 'conformance', 'writer.ts');
    const child = spawn(process.execPath, [script, dir, String(run)], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk;
    });
    const ids: string[] = [];
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        if (line !== 'open') ids.push(line);
        if (ids.length >= count) resolve();
      });
      child.once('close', () => reject(new Error(`the writer ended: ${complaint}`)));
    });
    return { child, ids };
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  it('is private', async () => {
    const store = await openSqliteStore({ dir });
    await store.settings.insert({ id: 'a', value: '' });
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const name of ['aegir.db', 'aegir.db-wal', 'aegir.db-shm', 'lock.db', 'lock.pid']) {
      expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
    }
    await store.close();
  });

  it('is for one master at a time', async () => {
    const store = await openSqliteStore({ dir });
    const refused = {
      code: 'failed_precondition',
      message: `cannot open the data directory ${dir}: another master has it (pid ${process.pid}); stop that one first`,
    };
    await expect(openSqliteStore({ dir })).rejects.toMatchObject(refused);
    await expect(openSqliteStore({ dir })).rejects.toMatchObject(refused);
    // Also for other processes, after the refusals here: closing a file can drop a process's own locks on it.
    await expect(startWriter(0, 1)).rejects.toThrow(`another master has it (pid ${process.pid})`);
    await store.settings.insert({ id: 'a', value: '' });
    await store.close();
    const next = await openSqliteStore({ dir });
    expect(await next.settings.find()).toHaveLength(1);
    await next.close();
  });

  it('frees itself when its master is killed, and has all that was acknowledged', { timeout: 60_000 }, async () => {
    const acknowledged: string[] = [];
    for (let run = 0; run < 10; run++) {
      // From the very first record on, at another moment each time.
      const { child, ids } = await startWriter(run, 1 + Math.floor(Math.random() * 60));
      if (run === 0) {
        await expect(openSqliteStore({ dir })).rejects.toThrow(`another master has it (pid ${child.pid})`);
      }
      await kill(child);
      acknowledged.push(...ids);
      expect(readFileSync(join(dir, 'lock.pid'), 'utf8')).toBe(`${child.pid}\n`);

      const store = await openSqliteStore({ dir });
      for (const id of run === 9 ? acknowledged : ids) {
        const number = Number(id.split('-')[2]);
        expect(await store.tasks.get(id), id).toBeDefined();
        expect(await store.steps.ofTask(id), id).toHaveLength(2);
        expect((await store.settings.get(id))?.value.length, id).toBe(number % 3 === 0 ? undefined : number % 5000);
      }
      // At most the one that was under way came besides, and that one whole. A page has the newest, so this run's.
      const tasks = await store.tasks.list({ limit: 1000, subjectId: 'site-1' });
      const extra = tasks.filter(({ id }) => id.startsWith(`task-${run}-`) && !acknowledged.includes(id));
      expect(extra.length).toBeLessThanOrEqual(1);
      for (const { id } of extra) expect(await store.steps.ofTask(id)).toHaveLength(2);
      await store.close();
    }
    expect(acknowledged.length).toBeGreaterThan(10);
  });

  it('says what is wrong with it', async () => {
    const path = join(parent, 'file');
    writeFileSync(path, '');
    await expect(openSqliteStore({ dir: path })).rejects.toThrow(`cannot use the data directory ${path}`);

    const store = await openSqliteStore({ dir });
    await store.close();
    expect(existsSync(join(dir, 'lock.pid'))).toBe(false);
    writeFileSync(join(dir, 'aegir.db'), 'no database '.repeat(1000));
    for (const suffix of ['-wal', '-shm']) rmSync(join(dir, `aegir.db${suffix}`), { force: true });
    chmodSync(dir, 0o700);
    await expect(openSqliteStore({ dir })).rejects.toMatchObject({
      code: 'data_loss',
      message: expect.stringContaining('no SQLite database'),
    });
    // The refusal let the directory go.
    rmSync(join(dir, 'aegir.db'));
    await (await openSqliteStore({ dir })).close();
  });
});
