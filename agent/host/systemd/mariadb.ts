// Debian's MariaDB or the vendor's MySQL as a systemd unit; root is its administrator by socket authentication.
import { AegirError } from '../../../shared/error.ts';
import type { Daemon } from '../host.ts';
import type { Run } from '../process.ts';
import type { Serial } from '../serial.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

export type MariadbName = 'mariadb' | 'mysql';

const INCLUDES: Readonly<Record<MariadbName, string>> = {
  mariadb: '/etc/mysql/mariadb.conf.d',
  mysql: '/etc/mysql/mysql.conf.d',
};

export interface MariadbListening {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly socket: string;
}

export interface MariadbOptions {
  readonly name: MariadbName;
  readonly program: string;
  readonly run: Run;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
}

export async function createMariadb(options: MariadbOptions): Promise<Daemon> {
  const { name, program, run, systemctl } = options;
  const unit = `${name}.service`;
  const { code, stdout, stderr } = await run({ argv: [program, '--print-defaults'] });
  if (code !== 0)
    throw new AegirError('failed_precondition', `cannot read the configuration of ${name}: ${stderr.trim()}`);
  const listening = parseListening(stdout);

  return createUnitDaemon({
    name,
    unit,
    systemctl,
    serial: options.serial,
    program,
    configArguments: [],
    includeDir: INCLUDES[name],
    ...listening,
    user: 'mysql',
    mayRun: async () => true,
    // Its unit is of type notify: systemctl has waited already.
    ready: async () => {},
    // It reads its configuration at its start only.
    reloadRunning: () => systemctl.act('restart', unit),
  });
}

/** MariaDB goes by MySQL's names too: whose program it is, it says itself. */
export async function isMysql(program: string, run: Run): Promise<boolean> {
  const { stdout } = await run({ argv: [program, '--version'] });
  return /\bVer [0-9]/.test(stdout) && !/MariaDB/i.test(stdout);
}

/** Output of `mariadbd --print-defaults`; the last of an option counts. Addresses as configured: 0.0.0.0 and :: are all. */
export function parseListening(text: string): MariadbListening {
  const options = new Map<string, string>();
  for (const word of text.split(/\s+/)) {
    const found = /^--([a-z0-9_-]+)(?:=(.*))?$/i.exec(word);
    if (found) options.set((found[1] ?? '').toLowerCase().replaceAll('_', '-'), found[2] ?? '');
  }
  const socket = options.get('socket') || '/run/mysqld/mysqld.sock';
  if (isOn(options.get('skip-networking'))) return { addresses: [], port: 0, socket };
  const bind = options.get('bind-address') || '*';
  const addresses = bind === '*' ? ['0.0.0.0', '::'] : bind.split(',').filter(Boolean);
  return { addresses, port: Number(options.get('port') || 3306), socket };
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !['0', 'off', 'false'].includes(value.toLowerCase());
}
