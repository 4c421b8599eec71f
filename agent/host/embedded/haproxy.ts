// HAProxy of an embedded server.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import { workerPid } from '../haproxy-socket.ts';
import type { Daemon } from '../host.ts';
import { lastLines, markLog } from '../log-mark.ts';
import { createSerial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import { which } from '../which.ts';
import { type EmbeddedContext, placesOf } from './context.ts';
import { renderHaproxyConf } from './haproxy-conf.ts';
import { endLeftovers, recordGroup } from './leftovers.ts';
import { createChild } from './supervise.ts';

const PROGRAM = '/usr/sbin/haproxy';
const RELOAD_MS = 20_000;

export async function createHaproxy(context: EmbeddedContext): Promise<Daemon> {
  const { layout, files, user } = context;
  const program = await which(PROGRAM);
  if (program === undefined) {
    throw new AegirError('failed_precondition', 'cannot run haproxy: install Debian package haproxy');
  }
  const { log, record, etc } = placesOf(context, 'haproxy');
  const conf = join(etc, 'haproxy.cfg');
  const includeDir = join(etc, 'aegir');
  const socket = join(layout.paths.run, 'haproxy.sock');
  const control = join(layout.paths.run, 'haproxy-master.sock');
  const leftover = { name: 'haproxy', program, marker: conf, record, stopMs: 5_000 };

  for (const directory of [etc, includeDir]) await files.directory(directory, { mode: 0o755 });
  await files.write(conf, renderHaproxyConf(socket), { mode: 0o644 });
  await endLeftovers(leftover);
  for (const path of [socket, control]) await files.remove(path);

  const configArguments = ['-f', conf, '-f', includeDir];
  const child = createChild({
    name: 'haproxy',
    argv: [program, '-W', '-db', '-S', `${control},mode,600`, ...configArguments],
    as: context.as,
    cwd: layout.home,
    log,
    readyMs: 15_000,
    stopMs: 5_000,
    // It talks only when its ports were free.
    ready: async () => (await workerPid(socket)) !== undefined,
    record: (pid) => recordGroup(record, pid),
    note: context.note,
    closing: context.closing,
  });
  const serial = createSerial();

  /** A master that was told to read a wrong configuration works on without its socket for commands. */
  const test = async (): Promise<void> => {
    const result = await context.run({ argv: [program, ...configArguments, '-c', '-q'], user: user.name });
    if (result.code === 0) return;
    const why = lastLines(result.stderr, 5);
    throw new AegirError('failed_precondition', `cannot reload haproxy: its configuration is wrong; mend it:\n${why}`);
  };

  const reload = async (): Promise<void> => {
    const master = child.pid();
    if (master === undefined) return child.start();
    await test();
    const mark = await markLog(log);
    const before = await workerPid(socket);
    process.kill(master, 'SIGUSR2');
    const changed = await waitUntil(async () => {
      if (child.pid() !== master) throw new AegirError('unavailable', 'cannot reload haproxy: it ended meanwhile');
      const now = await workerPid(socket);
      return now !== undefined && now !== before;
    }, RELOAD_MS);
    if (changed) return;
    const why = lastLines(await mark.since(), 10);
    throw new AegirError(
      'failed_precondition',
      `cannot reload haproxy: the new configuration is not in force:\n${why}`,
    );
  };

  return {
    name: 'haproxy',
    program,
    configArguments,
    includeDir,
    addresses: context.webAddresses,
    port: context.ports.haproxy ?? 0,
    ...(context.ports.haproxyTls === undefined ? {} : { tlsPort: context.ports.haproxyTls }),
    socket,
    control,
    user: user.name,
    isRunning: async () => child.pid() !== undefined,
    start: () => serial(child.start),
    reload: () => serial(reload),
    restart: () => serial(() => child.stop().then(child.start)),
    stop: () => child.stop(),
  };
}
