// Debian's nginx as a systemd unit. `systemctl reload` says nothing of the outcome: nginx is asked before and watched after.
import { AegirError } from '../../../shared/error.ts';
import { isNewGeneration } from '../generation.ts';
import type { Daemon } from '../host.ts';
import { lastLines, logEnd, markLog } from '../log-mark.ts';
import { nginxRoom } from '../nginx-room.ts';
import { acceptingWorkers } from '../nginx-workers.ts';
import type { Run } from '../process.ts';
import type { Serial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

const UNIT = 'nginx.service';
const CONF = '/etc/nginx/nginx.conf';
const ERROR_LOG = '/var/log/nginx/error.log';
const RELOAD_MS = 20_000;
const READY_MS = 15_000;

export interface NginxOptions {
  readonly program: string;
  readonly addresses: readonly string[];
  readonly run: Run;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
  /** Workers that accept, by master; replaced in tests. */
  readonly workers?: typeof acceptingWorkers;
}

export function createNginx(options: NginxOptions): Daemon {
  const { program, run, systemctl } = options;
  const workers = options.workers ?? acceptingWorkers;

  const test = async (): Promise<void> => {
    const { code, stderr } = await run({ argv: [program, '-t', '-q'] });
    if (code === 0) return;
    const why = lastLines(stderr, 5);
    throw new AegirError('failed_precondition', `cannot reload nginx: its configuration is wrong; mend it:\n${why}`);
  };

  const accepting = async (): Promise<readonly number[]> => {
    const { mainPid } = await systemctl.state(UNIT);
    return mainPid === undefined ? [] : workers(mainPid);
  };

  return createUnitDaemon({
    name: 'nginx',
    unit: UNIT,
    systemctl,
    serial: options.serial,
    program,
    configArguments: [],
    includeDir: '/etc/nginx/conf.d',
    addresses: options.addresses,
    port: 80,
    tlsPort: 443,
    socket: '',
    user: 'www-data',
    room: async () => nginxRoom(CONF, await accepting()),
    mayRun: async () => true,
    async ready() {
      if (await waitUntil(async () => (await accepting()).length > 0, READY_MS, 100)) return;
      throw new AegirError('failed_precondition', `cannot start nginx: it has no workers:\n${await logEnd(ERROR_LOG)}`);
    },
    async reloadRunning() {
      await test();
      const { mainPid } = await systemctl.state(UNIT);
      if (mainPid === undefined) throw new AegirError('unavailable', 'cannot reload nginx: it ended meanwhile');
      const before = await workers(mainPid);
      const mark = await markLog(ERROR_LOG);
      await systemctl.act('reload', UNIT);
      const failed = async (): Promise<boolean> => /\[emerg\]/.test(await mark.since());
      const over = async (): Promise<boolean> => isNewGeneration(before, await workers(mainPid)) || (await failed());
      if ((await waitUntil(over, RELOAD_MS, 50)) && !(await failed())) return;
      const said = [lastLines(await mark.since(), 10), await systemctl.journalEnd(UNIT)].filter(Boolean).join('\n');
      throw new AegirError(
        'failed_precondition',
        `cannot reload nginx: the new configuration is not in force:\n${said}`,
      );
    },
  });
}
