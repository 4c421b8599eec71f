// Debian's PHP-FPM of one version as a systemd unit.
import { AegirError } from '../../../shared/error.ts';
import type { Daemon, DaemonName, Files } from '../host.ts';
import { lastLines, markLog } from '../log-mark.ts';
import type { Run } from '../process.ts';
import type { Serial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

const READY = 'ready to handle connections';
const RELOAD_MS = 60_000;

export interface PhpFpmOptions {
  readonly version: string;
  readonly program: string;
  readonly run: Run;
  readonly files: Files;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
}

export function createPhpFpm(options: PhpFpmOptions): Daemon {
  const { version, program, run, files, systemctl } = options;
  const name: DaemonName = `php-fpm@${version}`;
  const unit = `php${version}-fpm.service`;
  const conf = `/etc/php/${version}/fpm/php-fpm.conf`;
  const includeDir = `/etc/php/${version}/fpm/pool.d`;
  const configArguments = ['--fpm-config', conf];

  /** Where it says that it is ready; undefined when it says so nowhere that we can read. */
  const testedLog = async (): Promise<string | undefined> => {
    const { code, stderr } = await run({ argv: [program, ...configArguments, '-tt'] });
    if (code === 0) return parseLogPath(stderr);
    const wrong = lastLines(wrongLines(stderr), 5);
    throw new AegirError(
      'failed_precondition',
      `cannot reload ${name}: its configuration is wrong; mend it:\n${wrong}`,
    );
  };

  return createUnitDaemon({
    name,
    unit,
    systemctl,
    serial: options.serial,
    program,
    configArguments,
    includeDir,
    addresses: [],
    port: 0,
    socket: '',
    user: 'www-data',
    mayRun: async () => (await files.list(includeDir)).some((file) => file.endsWith('.conf')),
    // Its unit is of type notify: systemctl has waited already.
    ready: async () => {},
    async reloadRunning() {
      const log = await testedLog();
      // Less graceful, but then systemd tells when the new configuration is in force.
      if (log === undefined) return systemctl.act('restart', unit);
      const mark = await markLog(log);
      await systemctl.act('reload', unit);
      const over = async (): Promise<boolean> =>
        (await mark.since()).includes(READY) || !(await systemctl.state(unit)).active;
      const ended = await waitUntil(over, RELOAD_MS, 100);
      if (ended && (await systemctl.state(unit)).active) return;
      const said = [lastLines(await mark.since(), 10), await systemctl.journalEnd(unit)].filter(Boolean).join('\n');
      throw new AegirError(
        'failed_precondition',
        `cannot reload ${name}: the new configuration is not in force:\n${said}`,
      );
    },
  });
}

/** Path of the error log in the output of `php-fpm -tt`, when a file of notices or finer. */
export function parseLogPath(text: string): string | undefined {
  const of = (key: string): string => new RegExp(`NOTICE:\\s+${key} = (.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const path = of('error_log');
  const coarse = ['WARNING', 'ERROR', 'ALERT'].includes(of('log_level'));
  return path.startsWith('/') && !coarse ? path : undefined;
}

/** -tt prints the whole configuration, pools' secrets (env[…]) among it: of that nothing may go into an error. */
export function wrongLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => /\b(ERROR|ALERT|WARNING):/.test(line))
    .join('\n');
}
