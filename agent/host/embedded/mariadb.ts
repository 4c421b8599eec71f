// MariaDB of an embedded server. The run user is its administrator, by socket authentication, under its own name.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Daemon } from '../host.ts';
import { lastLines } from '../log-mark.ts';
import { createSerial } from '../serial.ts';
import { which } from '../which.ts';
import { type EmbeddedContext, placesOf } from './context.ts';
import { endLeftovers, recordGroup } from './leftovers.ts';
import { renderMariadbConf } from './mariadb-conf.ts';
import { greetsOn } from './probe.ts';
import { createChild } from './supervise.ts';

const PROGRAM = '/usr/sbin/mariadbd';
const STOP_MS = 30_000;

export async function createMariadb(context: EmbeddedContext): Promise<Daemon> {
  const { layout, files, user } = context;
  const program = await which(PROGRAM);
  if (program === undefined) {
    throw new AegirError('failed_precondition', 'cannot run mariadb: install Debian package mariadb-server');
  }
  const { log, record, etc } = placesOf(context, 'mariadb');
  const conf = join(etc, 'my.cnf');
  const includeDir = join(etc, 'conf.d');
  const data = join(layout.data, 'mariadb');
  const temporary = join(layout.temporary, 'mariadb');
  const exports = join(layout.data, 'mariadb-exports');
  const socket = join(layout.paths.run, 'mariadb.sock');
  const port = context.ports.mariadb;

  for (const directory of [etc, includeDir]) await files.directory(directory, { mode: 0o755 });
  for (const directory of [layout.data, temporary, exports]) await files.directory(directory, { mode: 0o700 });
  const { run } = layout.paths;
  const text = renderMariadbConf({ data, temporary, exports, run, socket, includeDir, address: context.address, port });
  await files.write(conf, text, { mode: 0o644 });
  await endLeftovers({ name: 'mariadb', program, marker: conf, record, stopMs: STOP_MS });
  await initialise(context, data, temporary);

  const configArguments = [`--defaults-file=${conf}`];
  const child = createChild({
    name: 'mariadb',
    argv: [program, ...configArguments],
    as: context.as,
    cwd: layout.home,
    log,
    readyMs: 60_000,
    stopMs: STOP_MS,
    ready: () => greetsOn(socket),
    record: (pid) => recordGroup(record, pid),
    note: context.note,
    closing: context.closing,
  });
  const serial = createSerial();
  const restart = (): Promise<void> => child.stop().then(child.start);

  return {
    name: 'mariadb',
    program,
    configArguments,
    includeDir,
    addresses: [context.address],
    port,
    socket,
    user: user.name,
    isRunning: async () => child.pid() !== undefined,
    start: () => serial(child.start),
    // It reads its configuration at its start only.
    reload: () => serial(restart),
    restart: () => serial(restart),
    stop: () => child.stop(),
  };
}

/** System tables are made aside and moved into place whole, so that a crash in the middle leaves none. */
async function initialise(context: EmbeddedContext, data: string, temporary: string): Promise<void> {
  const { files, user } = context;
  if (await files.exists(data)) return;
  const aside = `${data}.new`;
  await files.remove(aside);
  await files.directory(aside, { mode: 0o700 });
  const { code, stdout, stderr } = await context.run({
    argv: [
      'mariadb-install-db',
      '--no-defaults',
      `--datadir=${aside}`,
      `--tmpdir=${temporary}`,
      '--auth-root-authentication-method=socket',
      `--auth-root-socket-user=${user.name}`,
      '--skip-test-db',
      '--skip-name-resolve',
      '--innodb-use-native-aio=OFF',
    ],
    user: user.name,
    timeoutMs: 180_000,
  });
  if (code !== 0) {
    const why = lastLines(`${stdout}\n${stderr}`, 15);
    throw new AegirError('failed_precondition', `cannot make the system tables of mariadb in ${aside}:\n${why}`);
  }
  await rename(aside, data);
}
