// Debian's Apache as a systemd unit. `systemctl reload` returns before the new configuration is in force, and Apache ends
// when it is told to read a wrong one: it is asked before and watched after.
import { AegirError } from '../../../shared/error.ts';
import { acceptingChildren } from '../apache-workers.ts';
import { isNewGeneration } from '../generation.ts';
import type { Daemon, Files } from '../host.ts';
import { lastLines, logEnd, markLog } from '../log-mark.ts';
import { mountsSeenBy } from '../mount-table.ts';
import type { Run } from '../process.ts';
import type { Serial } from '../serial.ts';
import { waitUntil } from '../wait.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

const UNIT = 'apache2.service';
const ERROR_LOG = '/var/log/apache2/error.log';
/** Where Debian's configuration says what it listens on. */
const LISTEN_FILES = ['/etc/apache2/ports.conf', '/etc/apache2/apache2.conf'];
const RELOAD_MS = 20_000;
const READY_MS = 15_000;

export interface ApacheOptions {
  /** apache2ctl: it alone knows the environment that the configuration refers to. */
  readonly program: string;
  readonly run: Run;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
  readonly files: Pick<Files, 'read'>;
  /** Addresses that stand for all of the host. */
  readonly wildcards: readonly string[];
  /** Children that accept, by master; replaced in tests. */
  readonly children?: typeof acceptingChildren;
}

export async function createApache(options: ApacheOptions): Promise<Daemon> {
  const { program, run, systemctl, files } = options;
  const children = options.children ?? acceptingChildren;
  const texts = await Promise.all(LISTEN_FILES.map((path) => files.read(path)));
  const { addresses, port, tlsPort } = parseListen(texts.join('\n'));

  const test = async (): Promise<void> => {
    const { code, stderr } = await run({ argv: [program, '-t'] });
    if (code === 0) return;
    const why = lastLines(stderr, 5);
    throw new AegirError('failed_precondition', `cannot reload apache2: its configuration is wrong; mend it:\n${why}`);
  };

  const accepting = async (): Promise<readonly number[]> => {
    const { mainPid } = await systemctl.state(UNIT);
    return mainPid === undefined ? [] : children(mainPid);
  };

  return createUnitDaemon({
    name: 'apache2',
    unit: UNIT,
    systemctl,
    serial: options.serial,
    program,
    configArguments: [],
    // Not conf-enabled: what stands there comes before the operator's own sites, whose first one answers for the rest.
    includeDir: '/etc/apache2/sites-enabled',
    addresses: addresses.length === 0 ? options.wildcards : addresses,
    port,
    ...(tlsPort === undefined ? {} : { tlsPort }),
    socket: '',
    user: 'www-data',
    mayRun: async () => true,
    mounts: async () => mountsSeenBy((await systemctl.state(UNIT)).mainPid),
    async ready() {
      if (await waitUntil(async () => (await accepting()).length > 0, READY_MS, 100)) return;
      throw new AegirError(
        'failed_precondition',
        `cannot start apache2: it accepts no connections:\n${await logEnd(ERROR_LOG)}`,
      );
    },
    async reloadRunning() {
      await test();
      const { mainPid } = await systemctl.state(UNIT);
      if (mainPid === undefined) throw new AegirError('unavailable', 'cannot reload apache2: it ended meanwhile');
      const before = await children(mainPid);
      const mark = await markLog(ERROR_LOG);
      await systemctl.act('reload', UNIT);
      if (await waitUntil(async () => isNewGeneration(before, await children(mainPid)), RELOAD_MS, 50)) return;
      const said = [lastLines(await mark.since(), 10), await systemctl.journalEnd(UNIT)].filter(Boolean).join('\n');
      throw new AegirError(
        'failed_precondition',
        `cannot reload apache2: the new configuration is not in force:\n${said}`,
      );
    },
  });
}

export interface ListenAt {
  /** Empty: all of them. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Where it listens, or would with mod_ssl, for HTTPS; undefined: nowhere. */
  readonly tlsPort: number | undefined;
}

/**
 * Where sites are served: over plain HTTP on port 80 when it listens there, else on the first that is not for TLS; over
 * HTTPS on 443, else on the first that is.
 */
export function parseListen(text: string): ListenAt {
  const lines = text.matchAll(/^[ \t]*Listen[ \t]+(?:(\S+):)?(\d{1,5})(?:[ \t]+(\S+))?[ \t]*$/gim);
  const found = [...lines].map(([, address = '', port = '', protocol = 'http']) => ({
    address: address.replace(/^\[|\]$/g, ''),
    port: Number(port),
    secure: port === '443' || protocol.toLowerCase() === 'https',
  }));
  const plain = found.filter(({ secure }) => !secure);
  const forTls = found.flatMap(({ secure, port }) => (secure ? [port] : []));
  const port = plain.some((each) => each.port === 80) ? 80 : (plain[0]?.port ?? 80);
  const addresses = plain.filter((each) => each.port === port).map(({ address }) => address);
  const all = addresses.some((address) => ['', '*', '0.0.0.0', '::'].includes(address));
  return { addresses: all ? [] : [...new Set(addresses)], port, tlsPort: forTls.includes(443) ? 443 : forTls[0] };
}
