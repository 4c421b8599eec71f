// One PHP-FPM master of an embedded server. It refuses to run without a pool, so it runs while there is one.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Daemon, DaemonName } from '../host.ts';
import { lastLines, markLog } from '../log-mark.ts';
import { createSerial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import { which } from '../which.ts';
import { type EmbeddedContext, placesOf } from './context.ts';
import { endLeftovers, recordGroup } from './leftovers.ts';
import { renderPhpFpmConf } from './php-fpm-conf.ts';
import { createChild } from './supervise.ts';

const READY = 'ready to handle connections';
const RELOAD_MS = 30_000;

export async function createPhpFpm(context: EmbeddedContext, version: string): Promise<Daemon> {
  const { layout, files, user } = context;
  const name: DaemonName = `php-fpm@${version}`;
  const program = await which(`/usr/sbin/php-fpm${version}`);
  if (program === undefined) {
    throw new AegirError('failed_precondition', `cannot run ${name}: install Debian package php${version}-fpm`);
  }
  const { log, record, etc } = placesOf(context, name);
  const conf = join(etc, 'php-fpm.conf');
  const includeDir = join(etc, 'pool.d');

  for (const directory of [etc, includeDir]) await files.directory(directory, { mode: 0o755 });
  await files.write(conf, renderPhpFpmConf({ version, run: layout.paths.run, log, includeDir }), { mode: 0o644 });
  await endLeftovers({ name, program, marker: conf, record, stopMs: 5_000 });

  const configArguments = ['--fpm-config', conf];
  const child = createChild({
    name,
    argv: [program, '--nodaemonize', ...configArguments],
    as: context.as,
    cwd: layout.home,
    log,
    readyMs: 15_000,
    stopMs: 10_000,
    ready: async (_pid, said) => (await said.since()).includes(READY),
    record: (pid) => recordGroup(record, pid),
    note: context.note,
    closing: context.closing,
  });
  const serial = createSerial();

  const hasPools = async (): Promise<boolean> => (await files.list(includeDir)).some((file) => file.endsWith('.conf'));

  const start = async (): Promise<void> => {
    if (child.pid() !== undefined || !(await hasPools())) return;
    await child.start();
  };

  const test = async (): Promise<void> => {
    const { code, stderr } = await context.run({ argv: [program, ...configArguments, '-t'], user: user.name });
    if (code === 0) return;
    const why = lastLines(stderr, 5);
    throw new AegirError('failed_precondition', `cannot reload ${name}: its configuration is wrong; mend it:\n${why}`);
  };

  const reload = async (): Promise<void> => {
    if (!(await hasPools())) return child.stop();
    const master = child.pid();
    if (master === undefined) return start();
    await test();
    const mark = await markLog(log);
    process.kill(master, 'SIGUSR2');
    const ready = await waitUntil(async () => {
      if (child.pid() !== master) throw new AegirError('unavailable', `cannot reload ${name}: it ended meanwhile`);
      return (await mark.since()).includes(READY);
    }, RELOAD_MS);
    if (ready) return;
    const why = lastLines(await mark.since(), 10);
    throw new AegirError(
      'failed_precondition',
      `cannot reload ${name}: the new configuration is not in force:\n${why}`,
    );
  };

  return {
    name,
    program,
    configArguments,
    includeDir,
    addresses: [],
    port: 0,
    socket: '',
    user: user.name,
    isRunning: async () => child.pid() !== undefined,
    start: () => serial(start),
    reload: () => serial(reload),
    restart: () => serial(() => child.stop().then(start)),
    stop: () => child.stop(),
  };
}
