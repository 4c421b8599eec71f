// A lab of its own for each test run: several runs on one machine (two clones, a person beside) do not meet, and a run
// that is killed leaves nothing.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { LabOptions } from '../../deploy/lab/lab.ts';

const LAB = '/var/tmp/aegir-lab';
const SLOTS = 9;
const HOST_SCRIPT = new URL('../../deploy/lab/host.sh', import.meta.url).pathname;

/** Holds the slot until we say a word, or are gone: then it removes our hosts first. $1 is host.sh, the rest are hosts. */
const KEEPER = `echo held
if ! read -r word; then
  script=$1; shift
  for host; do "$script" rm "$host"; done
  "$script" net-down
fi`;

export interface Slot {
  readonly options: LabOptions;
  /** What the addresses of its hosts begin with. */
  readonly network: string;
  /** Name of a host, for what it is: web1. */
  nameOf(kind: string): string;
  release(): Promise<void>;
}

/** The first that is free. kinds: all hosts that there will be. */
export async function takeSlot(kinds: readonly string[]): Promise<Slot> {
  mkdirSync(LAB, { recursive: true });
  for (let index = 1; index <= SLOTS; index++) {
    const network = `10.98.${10 + index}`;
    const options = { hosts: `${LAB}/test-hosts-${index}`, bridge: `aegirl${index}`, gateway: `${network}.1` };
    const nameOf = (kind: string): string => `lab${index}-${kind}`;
    const keeper = keep(`${LAB}/test-slot-${index}.lock`, kinds.map(nameOf), options);
    const ended = once(keeper, 'exit');
    const held = await Promise.race([once(keeper.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (!held) continue;
    const release = async (): Promise<void> => {
      keeper.stdin.end('done\n');
      await ended;
    };
    return { options, network, nameOf, release };
  }
  throw new Error(`lab: ${SLOTS} runs of the lab's tests are under way on this machine; wait for one to end`);
}

function keep(
  lock: string,
  hosts: readonly string[],
  { hosts: dir, bridge, gateway }: LabOptions,
): ChildProcessByStdio<Writable, Readable, null> {
  const argv = ['--nonblock', lock, 'bash', '-c', KEEPER, 'keeper', HOST_SCRIPT, ...hosts];
  const env = { ...process.env, AEGIR_LAB_HOSTS: dir, AEGIR_LAB_BRIDGE: bridge, AEGIR_LAB_GATEWAY: gateway };
  // In a session of its own, so that what ends the tests does not end it too.
  const keeper = spawn('flock', argv, { env, stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  keeper.unref();
  return keeper;
}
