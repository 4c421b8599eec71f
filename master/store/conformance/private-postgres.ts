// A PostgreSQL of the suite's own: in a private directory, reached by a UNIX socket there and by nothing else.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { PostgresConnection } from '../open-postgres.ts';

export interface PrivatePostgres {
  /** An empty database; the same one each time, since making one takes PostgreSQL long. */
  emptyDatabase(): Promise<PostgresConnection>;
  stop(): Promise<void>;
}

const VERSIONS = '/usr/lib/postgresql';

export async function startPostgres(): Promise<PrivatePostgres> {
  const bin = programs();
  const user = runAs();
  const dir = mkdtempSync('/tmp/aegir-pg-'); // short: a socket's path has 107 bytes at most
  const data = join(dir, 'data');
  mkdirSync(data, { mode: 0o700 });
  for (const path of [dir, data]) if (user) chownSync(path, user.uid, user.gid);
  chmodSync(dir, 0o700);
  const spawnAs = { ...user, cwd: dir, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' } };
  // A collation that is not by bytes, as most installations have: ours must not depend on it.
  const init = ['-D', data, '-U', 'aegir', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--locale=C.UTF-8'];
  execFileSync(join(bin, 'initdb'), [...init, '--locale-provider=icu', '--icu-locale=en'], {
    ...spawnAs,
    stdio: 'pipe',
  });
  const child = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-k', dir, '-c', 'listen_addresses=', '-c', 'max_connections=60'],
    { ...spawnAs, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = `${log}${chunk}`.slice(-20_000);
  });
  const atExit = (): void => void child.kill('SIGQUIT');
  process.once('exit', atExit);

  const at = (database: string): PostgresConnection => ({ host: dir, user: 'aegir', database });
  const run = async (database: string, statement: string): Promise<void> => {
    const client = new pg.Client(at(database));
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const stop = async (): Promise<void> => {
    await end(child);
    process.off('exit', atExit);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await untilReady(child, () => run('postgres', 'create database suite'));
  } catch (thrown) {
    await stop();
    throw new Error(`PostgreSQL did not start: ${log}`, { cause: thrown });
  }
  return {
    emptyDatabase: async () => {
      await run('suite', 'drop schema public cascade; create schema public');
      return at('suite');
    },
    stop,
  };
}

async function untilReady(child: ChildProcess, probe: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + 30_000; ; ) {
    try {
      return await probe();
    } catch (thrown) {
      if (child.exitCode !== null || Date.now() > deadline) throw thrown;
      await sleep(50);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGQUIT'); // at once: nothing of it is kept
  await exited;
}

function programs(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number).filter(Boolean) : [];
  const newest = Math.max(...versions);
  if (newest >= 15) return join(VERSIONS, String(newest), 'bin');
  throw new Error('there is no PostgreSQL 15 or newer on this machine; run: apt install postgresql');
}

/** PostgreSQL refuses root. */
function runAs(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'www-data', 'nobody']) {
    const [, , uid, gid] = accounts.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('there is no user to run PostgreSQL as; run: apt install postgresql');
}
