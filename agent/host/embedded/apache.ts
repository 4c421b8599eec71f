// Apache of an embedded server.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import { acceptingChildren } from '../apache-workers.ts';
import { isNewGeneration } from '../generation.ts';
import type { Daemon } from '../host.ts';
import { lastLines, markLog } from '../log-mark.ts';
import { mountsSeenBy } from '../mount-table.ts';
import { createSerial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import { which } from '../which.ts';
import { renderApacheConf } from './apache-conf.ts';
import { type EmbeddedContext, placesOf } from './context.ts';
import { endLeftovers, recordGroup } from './leftovers.ts';
import { answersHttp } from './probe.ts';
import { createChild } from './supervise.ts';

const PROGRAM = '/usr/sbin/apache2';
const RELOAD_MS = 20_000;

export async function createApache(context: EmbeddedContext): Promise<Daemon> {
  const { layout, files, user } = context;
  const program = await which(PROGRAM);
  if (program === undefined) {
    throw new AegirError('failed_precondition', 'cannot run apache2: install Debian package apache2-bin');
  }
  const { log, record, etc } = placesOf(context, 'apache2');
  const conf = join(etc, 'apache2.conf');
  const includeDir = join(etc, 'sites-enabled');
  const { run } = layout.paths;
  const port = context.ports.apache2 ?? 0;
  const leftover = { name: 'apache2', program, marker: conf, record, stopMs: 5_000 };

  for (const directory of [etc, includeDir]) await files.directory(directory, { mode: 0o755 });
  const tlsPort = context.ports.apache2Tls;
  const text = renderApacheConf({ root: etc, run, log, includeDir, addresses: context.webAddresses, port, tlsPort });
  await files.write(conf, text, { mode: 0o644 });
  await endLeftovers(leftover);
  // The number of one that was killed may be another program's by now, and Apache would refuse to start.
  await files.remove(join(run, 'apache2.pid'));

  const configArguments = ['-f', conf];
  const child = createChild({
    name: 'apache2',
    argv: [program, '-DFOREGROUND', ...configArguments],
    as: context.as,
    cwd: layout.home,
    log,
    readyMs: 15_000,
    stopMs: 5_000,
    // Children are there only when the ports were ours: a stranger on them would answer just as well.
    ready: async (pid) => (await acceptingChildren(pid)).length > 0 && (await answersHttp(context.address, port)),
    record: (pid) => recordGroup(record, pid),
    note: context.note,
    closing: context.closing,
  });
  const serial = createSerial();

  /** Apache ends when it is told to read a configuration that is wrong. */
  const test = async (): Promise<void> => {
    const result = await context.run({ argv: [program, ...configArguments, '-t'], user: user.name });
    if (result.code === 0) return;
    const why = lastLines(result.stderr, 5);
    throw new AegirError('failed_precondition', `cannot reload apache2: its configuration is wrong; mend it:\n${why}`);
  };

  const reload = async (): Promise<void> => {
    const master = child.pid();
    if (master === undefined) return child.start();
    await test();
    const mark = await markLog(log);
    const before = await acceptingChildren(master);
    try {
      process.kill(master, 'SIGUSR1');
    } catch (thrown) {
      // It has just ended: told below, with what it said.
      if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
      await waitUntil(async () => child.pid() !== master, RELOAD_MS);
    }
    const changed = await waitUntil(async () => {
      if (child.pid() === master) return isNewGeneration(before, await acceptingChildren(master));
      const why = lastLines(await mark.since(), 10);
      throw new AegirError('unavailable', `cannot reload apache2: it ended meanwhile:\n${why}`);
    }, RELOAD_MS);
    if (changed) return;
    const why = lastLines(await mark.since(), 10);
    throw new AegirError(
      'failed_precondition',
      `cannot reload apache2: the new configuration is not in force:\n${why}`,
    );
  };

  return {
    name: 'apache2',
    program,
    configArguments,
    includeDir,
    addresses: context.webAddresses,
    port,
    ...(tlsPort === undefined ? {} : { tlsPort }),
    socket: '',
    user: user.name,
    isRunning: async () => child.pid() !== undefined,
    mounts: () => mountsSeenBy(child.pid()),
    start: () => serial(child.start),
    reload: () => serial(reload),
    restart: () => serial(() => child.stop().then(child.start)),
    stop: () => child.stop(),
  };
}
