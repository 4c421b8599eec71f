// What every daemon that is a systemd unit has in common; each adds how it reloads.
import type { Daemon } from '../host.ts';
import type { Serial } from '../serial.ts';
import type { Systemctl } from './systemctl.ts';

export interface UnitDaemonOptions extends Omit<Daemon, 'isRunning' | 'start' | 'reload' | 'restart' | 'stop'> {
  readonly unit: string;
  readonly systemctl: Systemctl;
  /** One per unit, however many objects stand for it. */
  readonly serial: Serial;
  /** Called while it runs; resolves when the new configuration is in force. */
  reloadRunning(): Promise<void>;
  /** Resolves when it answers; called after each start. */
  ready(): Promise<void>;
  /** False when it has nothing to run for and could not start; it is stopped then. */
  mayRun(): Promise<boolean>;
}

export function createUnitDaemon(options: UnitDaemonOptions): Daemon {
  const { unit, systemctl, serial, reloadRunning, ready, mayRun, ...facts } = options;
  const isRunning = async (): Promise<boolean> => (await systemctl.state(unit)).active;

  const bring = async (verb: 'start' | 'restart'): Promise<void> => {
    if (!(await mayRun())) return systemctl.act('stop', unit);
    await systemctl.act(verb, unit);
    await ready();
  };

  return {
    ...facts,
    isRunning,
    start: () => serial(() => bring('start')),
    restart: () => serial(() => bring('restart')),
    reload: () => serial(async () => ((await mayRun()) && (await isRunning()) ? reloadRunning() : bring('start'))),
    stop: () => serial(() => systemctl.act('stop', unit)),
  };
}
