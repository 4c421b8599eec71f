// One master per data directory: a SQLite transaction held open on lock.db. The kernel ends it with the process,
// however that ends, so there is nothing stale to clean up.
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AegirError } from '../../shared/error.ts';

export interface DirectoryLock {
  release(): void;
}

/** Throws failed_precondition when another master holds it, with that master's process id. */
export function lockDirectory(dir: string): DirectoryLock {
  const path = join(dir, 'lock.db');
  const pidPath = join(dir, 'lock.pid');
  createPrivateFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('begin exclusive');
  } catch (thrown) {
    database.close();
    if (!isBusy(thrown)) {
      throw new AegirError('failed_precondition', `cannot lock ${dir}: lock.db cannot be opened; check its owner`, {
        cause: thrown,
      });
    }
    throw new AegirError(
      'failed_precondition',
      `cannot open the data directory ${dir}: another master has it (${holder(pidPath)}); stop that one first`,
    );
  }
  // For people only: what counts is the lock. By rename, so that a reader never sees half a number.
  writeFileSync(`${pidPath}.new`, `${process.pid}\n`, { mode: 0o600 });
  renameSync(`${pidPath}.new`, pidPath);
  return {
    release: () => {
      rmSync(pidPath, { force: true });
      database.close();
    },
  };
}

/**
 * Makes the file unless it is there. Never opens one that is: closing any descriptor of a file drops all locks that
 * this process holds on it (POSIX), and with them SQLite's.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown;
  }
}

function holder(pidPath: string): string {
  try {
    const text = readFileSync(pidPath, 'utf8').trim();
    if (/^[0-9]+$/.test(text)) return `pid ${text}`;
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
  }
  return 'its pid is not known yet';
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === 5;
}
