// Cuts links of hosts while their programs stand at boundaries of a move: the boundaries are learned from a move in peace.
import { readFileSync } from 'node:fs';
import type { LabHost } from '../../deploy/lab/lab.ts';
import type { ProcessName } from '../e2e/machine.ts';
import { numbered } from '../fault/boundaries.ts';
import { type Strike, strikesAt, takeJoint, trapsOf } from '../fault/strikes.ts';
import { type Fleet, until } from './fleet.ts';

/** Connections outlive it, and what was sent comes later. */
const CUT_MS = 5000;
/** The master takes the server for gone: sessions, transfers and what they carry begin anew. */
const LONG_CUT_MS = 100_000;
/** Each cut of so many is a long one. */
const ONE_LONG_OF = 12;
const EVERY_MS = 50;
/** Of one host in one move. */
const AT_ONCE = 4;

const AROUND_THE_HOLD =
  /:(gate\.hold|site\.place|set-gate-hold|apply-(http|db)|restore-(files|database)|take-snapshot)/;
/** Where a step begins: in the master, and in the agent that does what it is made of. */
const STEP = /^(task\.step\.intent|agent\.action\.received):/;

/**
 * once: each link once, around the hold, in one move; few: some times; steps: where each step begins; all: wherever a process
 * writes down what it is at.
 */
export type CutsWhere = 'once' | 'few' | 'steps' | 'all';
const WHERE: Readonly<Record<CutsWhere, RegExp>> = {
  once: AROUND_THE_HOLD,
  few: AROUND_THE_HOLD,
  steps: STEP,
  all: /^/,
};

export interface MoveCuts {
  /** Notes what boundaries each host's program passes meanwhile. */
  learn(move: () => Promise<void>): Promise<void>;
  /** For each move, which links are cut where. */
  runs(where: CutsWhere): readonly (readonly Strike[])[];
  /** The same for what moves never came to, since cuts before led elsewhere: one of each host. */
  alone(strikes: readonly Strike[]): readonly (readonly Strike[])[];
  /** Cuts while it moves; answers those that it never came to, too. */
  during<T>(strikes: readonly Strike[], move: () => Promise<T>): Promise<readonly [T, readonly Strike[]]>;
}

/** One letter, as the kernel tells it; empty for one that has ended. */
function stateOfProcess(pid: string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch (error) {
    // ESRCH: while it was read.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

/** Restarts the hosts' programs, so that they tell of boundaries. hosts: the master's and agents'. */
export async function createMoveCuts(fleet: Fleet, hosts: readonly LabHost[]): Promise<MoveCuts> {
  const { lab, master } = fleet;
  const programOf = (host: LabHost) => (host === master ? 'aegir-master' : 'aegir-agent');
  const stateOf = (host: LabHost) => (host === master ? '/var/lib/aegir' : '/var/lib/aegir-agent');
  const fileOf = (host: LabHost, what: 'log' | 'trap') => `${stateOf(host)}/boundaries.${what}`;
  const sh = (host: LabHost, script: string, input?: string) => lab.must(host.name, ['sh', '-c', script], input);
  const connected = async () => {
    for (const host of hosts) if (host !== master && !(await fleet.isConnected(host))) return false;
    return true;
  };
  for (const host of hosts) {
    const dir = `/etc/systemd/system/${programOf(host)}.service.d`;
    const unit = `[Service]\nEnvironment=AEGIR_FAILPOINT_LOG=${fileOf(host, 'log')} AEGIR_FAILPOINT_FILE=${fileOf(host, 'trap')}\n`;
    await sh(host, `mkdir -p ${dir} && cat > ${dir}/watched.conf && systemctl daemon-reload`, unit);
    await sh(host, `systemctl restart ${programOf(host)}`);
  }
  await until('the master to answer', async () => (await fleet.aegir('status')).code === 0);
  await until('the sessions', connected, LONG_CUT_MS);

  const boundaries = new Map<ProcessName, readonly string[]>();
  const hostOf = new Map(hosts.map((host) => [host.name, host]));
  const joint = (left: Strike[], most: number): readonly (readonly Strike[])[] => {
    const runs: Strike[][] = [];
    while (left.length > 0) runs.push(takeJoint(left, boundaries, most));
    return runs;
  };
  const leaders = new Map(await Promise.all(hosts.map(async ({ name }) => [name, await lab.leader(name)] as const)));
  /** Looks at all hosts many times a second: by files, since programs that look would take the processors from the move. */
  const isStopped = (host: LabHost): boolean => {
    const group = `/proc/${leaders.get(host.name)}/root/sys/fs/cgroup/system.slice/${programOf(host)}.service`;
    const pids = readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
    return pids.some((pid) => stateOfProcess(pid) === 'T');
  };
  let cuts = 0;

  /** Cuts its link whenever it stands at a boundary, as long as `going`. */
  async function guard(host: LabHost, going: () => boolean): Promise<void> {
    while (going() || isStopped(host)) {
      if (!isStopped(host)) {
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
        continue;
      }
      cuts += 1;
      await lab.cut(host.name);
      try {
        await sh(host, `systemctl kill --signal=CONT ${programOf(host)}`);
        await new Promise((resolve) => setTimeout(resolve, cuts % ONE_LONG_OF === 0 ? LONG_CUT_MS : CUT_MS));
      } finally {
        await lab.heal(host.name);
      }
    }
  }

  return {
    async learn(move) {
      for (const host of hosts) await sh(host, `rm -f ${fileOf(host, 'log')}`);
      await move();
      for (const host of hosts) {
        const passed = await sh(host, `cat ${fileOf(host, 'log')} 2>/dev/null || true`);
        boundaries.set(host.name, numbered(passed.split('\n').filter((line) => line !== '')));
      }
    },
    runs(where) {
      const at = (boundary: string) => WHERE[where].test(boundary);
      const runs = joint(
        hosts.flatMap(({ name }) => strikesAt('pause', name, boundaries.get(name) ?? [], at)),
        where === 'once' ? 1 : AT_ONCE,
      );
      return where === 'once' || where === 'few' ? runs.slice(0, 1) : runs;
    },
    alone: (strikes) => joint([...strikes], 1),
    async during(strikes, move) {
      for (const [name, traps] of trapsOf(strikes, boundaries)) {
        const host = hostOf.get(name);
        if (host !== undefined) {
          // The master is not root, and takes out the lines that it has come to.
          await sh(host, `cat > ${fileOf(host, 'trap')} && chmod 666 ${fileOf(host, 'trap')}`, `${traps.join('\n')}\n`);
        }
      }
      let going = true;
      const guards = Promise.all(hosts.map((host) => guard(host, () => going)));
      guards.catch(() => {});
      const missed: Strike[] = [];
      try {
        const ended = await move();
        for (const host of hosts) {
          const traps = await sh(host, `cat ${fileOf(host, 'trap')} 2>/dev/null; rm -f ${fileOf(host, 'trap')}`);
          const left = traps.split('\n').filter((line) => line !== '').length;
          // They come one after the other.
          if (left > 0) missed.push(...strikes.filter(({ name }) => name === host.name).slice(-left));
        }
        return [ended, missed];
      } finally {
        going = false;
        await guards;
        await until('the sessions', connected, LONG_CUT_MS);
      }
    },
  };
}
