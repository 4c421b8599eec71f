// Debian's name servers as systemd units: BIND and the PowerDNS authoritative server. Their units are of type notify, so
// systemctl waits until they answer.
import type { Daemon } from '../host.ts';
import type { Serial } from '../serial.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

export interface NameServerOptions {
  readonly name: 'named' | 'pdns';
  readonly unit: string;
  readonly program: string;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
}

const FACTS = {
  named: { configArguments: ['-c', '/etc/bind/named.conf'], includeDir: '/etc/bind', user: 'bind', reload: 'reload' },
  // It reads most of its settings at its start only.
  pdns: {
    configArguments: ['--config-dir=/etc/powerdns'],
    includeDir: '/etc/powerdns/pdns.d',
    user: 'pdns',
    reload: 'restart',
  },
} as const;

export function createNameServer({ name, unit, program, systemctl, serial }: NameServerOptions): Daemon {
  const { reload, ...facts } = FACTS[name];
  return createUnitDaemon({
    name,
    unit,
    program,
    systemctl,
    serial,
    ...facts,
    // Sites are not served by it.
    addresses: [],
    port: 0,
    socket: '',
    mayRun: async () => true,
    ready: async () => {},
    reloadRunning: () => systemctl.act(reload, unit),
  });
}
