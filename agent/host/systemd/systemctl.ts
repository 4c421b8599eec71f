// Units of systemd: their state, and commands to them whose failure says what the journal says.
import { AegirError } from '../../../shared/error.ts';
import type { Run } from '../process.ts';

const JOB_TIMEOUT_MS = 120_000;

export interface UnitState {
  readonly loaded: boolean;
  readonly active: boolean;
  readonly mainPid: number | undefined;
}

export interface Systemctl {
  state(unit: string): Promise<UnitState>;
  /** Resolves when systemd's job is done; throws with the end of the unit's journal. */
  act(verb: 'start' | 'stop' | 'restart' | 'reload', unit: string): Promise<void>;
  journalEnd(unit: string): Promise<string>;
}

export function createSystemctl(run: Run): Systemctl {
  const journalEnd = async (unit: string): Promise<string> => {
    const { code, stdout, stderr } = await run({
      argv: ['journalctl', '--no-pager', '--quiet', '--output=cat', '--lines=15', `--unit=${unit}`],
      maxOutput: 8_000,
    });
    return code === 0 ? stdout.trim() : `(no journal: ${stderr.trim()})`;
  };

  return {
    journalEnd,
    async state(unit) {
      const argv = ['systemctl', 'show', '--property=LoadState,ActiveState,MainPID', '--', unit] as const;
      const { code, stdout, stderr } = await run({ argv });
      if (code !== 0) throw new AegirError('unavailable', `cannot ask systemd about ${unit}: ${stderr.trim()}`);
      return parseUnitState(stdout);
    },
    async act(verb, unit) {
      const argv = ['systemctl', '--no-ask-password', verb, '--', unit] as const;
      const { code, stderr } = await run({ argv, timeoutMs: JOB_TIMEOUT_MS });
      if (code === 0) return;
      const said = [stderr.trim(), await journalEnd(unit)].filter(Boolean).join('\n');
      throw new AegirError('failed_precondition', `cannot ${verb} ${unit}: systemctl ended with ${code}:\n${said}`);
    },
  };
}

/** Text of `systemctl show`; reloading is running too. */
export function parseUnitState(text: string): UnitState {
  const of = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const mainPid = Number(of('MainPID'));
  return {
    loaded: of('LoadState') === 'loaded',
    active: ['active', 'reloading'].includes(of('ActiveState')),
    mainPid: mainPid > 0 ? mainPid : undefined,
  };
}
