// nginx of an embedded server.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import { isNewGeneration } from '../generation.ts';
import type { Daemon } from '../host.ts';
import { lastLines, markLog } from '../log-mark.ts';
import { nginxRoom } from '../nginx-room.ts';
import { acceptingWorkers } from '../nginx-workers.ts';
import { createSerial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import { which } from '../which.ts';
import { type EmbeddedContext, placesOf } from './context.ts';
import { endLeftovers, recordGroup } from './leftovers.ts';
import { renderNginxConf } from './nginx-conf.ts';
import { answersHttp } from './probe.ts';
import { createChild } from './supervise.ts';

const PROGRAM = '/usr/sbin/nginx';
const RELOAD_MS = 20_000;

export async function createNginx(context: EmbeddedContext): Promise<Daemon> {
  const { layout, files, user } = context;
  const program = await which(PROGRAM);
  if (program === undefined)
    throw new AegirError('failed_precondition', 'cannot run nginx: install Debian package nginx');
  const { log, record, etc } = placesOf(context, 'nginx');
  const conf = join(etc, 'nginx.conf');
  const includeDir = join(etc, 'conf.d');
  const temporary = join(layout.temporary, 'nginx');
  const port = context.ports.nginx;
  const leftover = { name: 'nginx', program, marker: conf, record, stopMs: 5_000 };

  for (const directory of [etc, includeDir]) await files.directory(directory, { mode: 0o755 });
  const text = renderNginxConf({ run: layout.paths.run, temporary, includeDir, addresses: context.webAddresses, port });
  await files.write(conf, text, { mode: 0o644 });
  await endLeftovers(leftover);
  // An nginx that somebody ran by hand as root leaves these as root's, and ours could not open them.
  await files.remove(join(layout.paths.run, 'nginx.pid'));
  await files.remove(temporary);
  await files.directory(temporary, { mode: 0o755 });

  const configArguments = ['-c', conf];
  const child = createChild({
    name: 'nginx',
    argv: [program, ...configArguments],
    as: context.as,
    cwd: layout.home,
    log,
    readyMs: 15_000,
    stopMs: 5_000,
    // Workers are there only when the ports were ours: a stranger on them would answer just as well.
    ready: async (pid) => (await acceptingWorkers(pid)).length > 0 && (await answersHttp(context.address, port)),
    record: (pid) => recordGroup(record, pid),
    note: context.note,
    closing: context.closing,
  });
  const serial = createSerial();

  const test = async (): Promise<void> => {
    const result = await context.run({ argv: [program, ...configArguments, '-t', '-q'], user: user.name });
    if (result.code === 0) return;
    const why = lastLines(result.stderr, 5);
    throw new AegirError('failed_precondition', `cannot reload nginx: its configuration is wrong; mend it:\n${why}`);
  };

  const reload = async (): Promise<void> => {
    const master = child.pid();
    if (master === undefined) return child.start();
    await test();
    const mark = await markLog(log);
    const before = await acceptingWorkers(master);
    process.kill(master, 'SIGHUP');
    const changed = await waitUntil(async () => {
      if (child.pid() !== master) throw new AegirError('unavailable', 'cannot reload nginx: it ended meanwhile');
      if (/\[emerg\]/.test(await mark.since())) return true;
      return isNewGeneration(before, await acceptingWorkers(master));
    }, RELOAD_MS);
    const said = await mark.since();
    if (changed && !/\[emerg\]/.test(said)) return;
    const why = lastLines(said, 10);
    throw new AegirError('failed_precondition', `cannot reload nginx: the new configuration is not in force:\n${why}`);
  };

  return {
    name: 'nginx',
    program,
    configArguments,
    includeDir,
    addresses: context.webAddresses,
    port,
    ...(context.ports.nginxTls === undefined ? {} : { tlsPort: context.ports.nginxTls }),
    socket: '',
    user: user.name,
    room: async () => nginxRoom(conf, await acceptingWorkers(child.pid() ?? 0)),
    isRunning: async () => child.pid() !== undefined,
    start: () => serial(child.start),
    reload: () => serial(reload),
    restart: () => serial(() => child.stop().then(child.start)),
    stop: () => child.stop(),
  };
}
