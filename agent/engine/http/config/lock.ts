// One change of a daemon's configuration at a time: actions for different sites run at once, and a test of the whole
// configuration must not see another's half-written file.
import { createSerial, type Serial } from '../../../host/serial.ts';

export type Locks = <T>(name: string, act: () => Promise<T>) => Promise<T>;

export function createLocks(): Locks {
  const queues = new Map<string, Serial>();
  return (name, act) => {
    const queue = queues.get(name) ?? createSerial();
    queues.set(name, queue);
    return queue(act);
  };
}
