// PostgreSQL of an embedded server. The run user is its administrator, by peer authentication, under its own name.
import { readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Daemon } from '../host.ts';
import { lastLines } from '../log-mark.ts';
import { clusterDaemon, parseCluster } from '../postgresql-name.ts';
import { reloadPostgresql } from '../postgresql-reload.ts';
import { createSerial } from '../serial.ts';
import { which } from '../which.ts';
import { type EmbeddedContext, placesOf } from './context.ts';
import { endLeftovers, recordGroup } from './leftovers.ts';
import { renderHba, renderPostgresqlConf } from './postgresql-conf.ts';
import { createChild } from './supervise.ts';

const STOP_MS = 30_000;

export async function createPostgresql(context: EmbeddedContext, instance: string): Promise<Daemon> {
  const { layout, files, user } = context;
  const name = clusterDaemon(instance);
  const version = parseCluster(instance)?.version;
  const program = version && (await which(`/usr/lib/postgresql/${version}/bin/postgres`));
  if (!program) {
    throw new AegirError('failed_precondition', `cannot run ${name}: install Debian package postgresql-${version}`);
  }
  const { log, record, etc } = placesOf(context, name);
  const conf = join(etc, 'postgresql.conf');
  const hba = join(etc, 'pg_hba.conf');
  const ident = join(etc, 'pg_ident.conf');
  const includeDir = join(etc, 'conf.d');
  const data = join(layout.data, `postgresql-${instance}`);
  const port = context.ports.postgresql ?? 0;
  const { run } = layout.paths;
  const socket = join(run, `.s.PGSQL.${port}`);

  for (const directory of [etc, includeDir]) await files.directory(directory, { mode: 0o755 });
  await files.directory(layout.data, { mode: 0o700 });
  const text = renderPostgresqlConf({ data, run, hba, ident, includeDir, address: context.address, port });
  await files.write(conf, text, { mode: 0o644 });
  if (!(await files.exists(hba))) await files.write(hba, renderHba(user.name), { mode: 0o640 });
  if (!(await files.exists(ident))) await files.write(ident, '', { mode: 0o640 });
  // Its processes lead groups of their own, and are known by the directory they work in.
  const left = { name, program, marker: conf, record, stopMs: STOP_MS, stopSignal: 'SIGINT', workingIn: data } as const;
  await endLeftovers(left);
  await initialise(context, dirname(program), data);

  const configArguments = ['-c', `config_file=${conf}`];
  const child = createChild({
    name,
    argv: [program, ...configArguments],
    as: context.as,
    cwd: layout.home,
    log,
    readyMs: 60_000,
    stopMs: STOP_MS,
    // Fast: who is connected is cut off. SIGTERM would wait for them.
    stopSignal: 'SIGINT',
    // Those of a server that was killed hold its memory until they notice.
    before: () => endLeftovers(left),
    ready: (pid) => saysReady(join(data, 'postmaster.pid'), pid),
    record: (pid) => recordGroup(record, pid),
    note: context.note,
    closing: context.closing,
  });
  const serial = createSerial();
  const place = { name, program, socket, user: user.name };

  return {
    name,
    program,
    configArguments,
    includeDir,
    addresses: [context.address],
    port,
    socket,
    user: user.name,
    isRunning: async () => child.pid() !== undefined,
    start: () => serial(child.start),
    reload: () => serial(() => (child.pid() === undefined ? child.start() : reloadPostgresql(place, context.run))),
    restart: () => serial(() => child.stop().then(child.start)),
    stop: () => child.stop(),
  };
}

/** The server itself says so in the eighth line of its lock file (PostgreSQL source, utils/pidfile.h). */
async function saysReady(lockFile: string, pid: number): Promise<boolean> {
  const lines = (await readFile(lockFile, 'utf8').catch(() => '')).split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/** System tables are made aside and moved into place whole, so that a crash in the middle leaves none. */
async function initialise(context: EmbeddedContext, programs: string, data: string): Promise<void> {
  const { files, user } = context;
  if (await files.exists(data)) return;
  const aside = `${data}.new`;
  await files.remove(aside);
  await files.directory(aside, { mode: 0o700 });
  const { code, stdout, stderr } = await context.run({
    argv: [
      join(programs, 'initdb'),
      `--pgdata=${aside}`,
      `--username=${user.name}`,
      // What counts is our own pg_hba.conf.
      '--auth-local=peer',
      '--auth-host=reject',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--data-checksums',
      // Small, for a server that is small.
      '--wal-segsize=1',
      '--no-instructions',
    ],
    user: user.name,
    timeoutMs: 180_000,
  });
  if (code !== 0) {
    const why = lastLines(`${stdout}\n${stderr}`, 15);
    throw new AegirError('failed_precondition', `cannot make the system tables of PostgreSQL in ${aside}:\n${why}`);
  }
  await rename(aside, data);
}
