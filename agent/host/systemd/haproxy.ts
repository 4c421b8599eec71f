// Debian's HAProxy as a systemd unit. Ours stands in a directory beside the operator's haproxy.cfg; a drop-in has the unit
// read both.
import { AegirError } from '../../../shared/error.ts';
import { workerPid } from '../haproxy-socket.ts';
import type { Daemon } from '../host.ts';
import type { Run } from '../process.ts';
import type { Serial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

const UNIT = 'haproxy.service';
const INCLUDE = '/etc/haproxy/aegir';
const SOCKET = '/run/haproxy/aegir.sock';
const MASTER = '/run/haproxy-master.sock';
const RELOAD_MS = 20_000;
const READY_MS = 15_000;

/** Lines of Debian's own unit, with our directory added; EXTRAOPTS is the operator's (/etc/default/haproxy). */
const DROP_IN = `# Written by Aegir: HAProxy reads ${INCLUDE} besides the operator's configuration.
[Service]
ExecStart=
ExecStart=/usr/sbin/haproxy -Ws -f $CONFIG -f ${INCLUDE} -p $PIDFILE $EXTRAOPTS
ExecReload=
ExecReload=/usr/sbin/haproxy -Ws -f $CONFIG -f ${INCLUDE} -c -q $EXTRAOPTS
ExecReload=/bin/kill -USR2 $MAINPID
`;

export interface HaproxyOptions {
  readonly program: string;
  readonly addresses: readonly string[];
  readonly run: Run;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
  /** The worker that answers at a socket; replaced in tests. */
  readonly worker?: typeof workerPid;
}

export function createHaproxy(options: HaproxyOptions): Daemon {
  const { systemctl } = options;
  const worker = options.worker ?? workerPid;
  const refused = async (doing: string): Promise<never> => {
    const why = await systemctl.journalEnd(UNIT);
    throw new AegirError('failed_precondition', `cannot ${doing} haproxy: it does not answer at ${SOCKET}:\n${why}`);
  };
  return createUnitDaemon({
    name: 'haproxy',
    unit: UNIT,
    systemctl,
    serial: options.serial,
    program: options.program,
    configArguments: ['-f', '/etc/haproxy/haproxy.cfg', '-f', INCLUDE],
    includeDir: INCLUDE,
    addresses: options.addresses,
    port: 80,
    tlsPort: 443,
    socket: SOCKET,
    control: MASTER,
    dropIn: { path: '/etc/systemd/system/haproxy.service.d/aegir.conf', content: DROP_IN },
    user: 'haproxy',
    mayRun: async () => true,
    async ready() {
      if (await waitUntil(async () => (await worker(SOCKET)) !== undefined, READY_MS, 100)) return;
      await refused('start');
    },
    async reloadRunning() {
      const before = await worker(SOCKET);
      // The unit tests the configuration first, and then lets its master read it.
      await systemctl.act('reload', UNIT);
      const over = async (): Promise<boolean> => {
        const now = await worker(SOCKET);
        return now !== undefined && now !== before;
      };
      if (!(await waitUntil(over, RELOAD_MS, 50))) await refused('reload');
    },
  });
}
