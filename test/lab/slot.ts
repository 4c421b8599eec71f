// A lab of its own for each test run: several runs on one machine (two clones, a person beside) do not meet.
import { createServer } from 'node:net';
import type { LabOptions } from '../../deploy/lab/lab.ts';

const SLOTS = 9;

export interface Slot {
  readonly options: LabOptions;
  /** What the names of its hosts begin with. */
  readonly prefix: string;
  /** What the addresses of its hosts begin with. */
  readonly network: string;
  release(): Promise<void>;
}

/** The first that is free. Its lock is an abstract UNIX socket: the kernel frees it, whatever ends the run. */
export async function takeSlot(): Promise<Slot> {
  for (let index = 1; index <= SLOTS; index++) {
    const release = await lock(`\0aegir-lab-slot-${index}`);
    if (release === undefined) continue;
    const network = `10.98.${index}`;
    const hosts = `/var/tmp/aegir-lab/test-hosts-${index}`;
    return {
      options: { hosts, bridge: `aegirt${index}`, gateway: `${network}.1` },
      prefix: `t${index}-`,
      network,
      release,
    };
  }
  throw new Error(`lab: ${SLOTS} runs of the lab's tests are under way on this machine; wait for one to end`);
}

/** undefined when somebody holds it. */
function lock(path: string): Promise<(() => Promise<void>) | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve(() => new Promise((done) => server.close(() => done())));
    });
  });
}
