// Who may use a store at the same time within this agent: many that add or read, or one that takes away. The master keeps
// them apart as well, durably; this holds also when it is mistaken.
import { AegirError } from '../../../shared/error.ts';

export interface Locks {
  /** With others that share. Waits for its turn; rejects when the signal is aborted before. */
  shared<T>(key: string, signal: AbortSignal, act: () => Promise<T>): Promise<T>;
  /** With nobody. */
  alone<T>(key: string, signal: AbortSignal, act: () => Promise<T>): Promise<T>;
}

interface Turn {
  readonly alone: boolean;
  start(): void;
}

interface Lock {
  running: number;
  alone: boolean;
  readonly waiting: Turn[];
}

export function createLocks(): Locks {
  const locks = new Map<string, Lock>();

  const pump = (key: string, lock: Lock) => {
    for (let next = lock.waiting[0]; next !== undefined; next = lock.waiting[0]) {
      if (lock.alone || (next.alone && lock.running > 0)) return;
      lock.waiting.shift();
      lock.running += 1;
      lock.alone = next.alone;
      next.start();
    }
    if (lock.running === 0) locks.delete(key);
  };
  const turn = (key: string, alone: boolean, signal: AbortSignal): Promise<() => void> =>
    new Promise((resolve, reject) => {
      const lock = locks.get(key) ?? { running: 0, alone: false, waiting: [] };
      locks.set(key, lock);
      const mine: Turn = {
        alone,
        start() {
          signal.removeEventListener('abort', leave);
          resolve(() => {
            lock.running -= 1;
            lock.alone = false;
            pump(key, lock);
          });
        },
      };
      const leave = () => {
        lock.waiting.splice(lock.waiting.indexOf(mine), 1);
        reject(reasonOf(signal));
        pump(key, lock);
      };
      if (signal.aborted) return reject(reasonOf(signal));
      signal.addEventListener('abort', leave, { once: true });
      lock.waiting.push(mine);
      pump(key, lock);
    });
  const within = async <T>(key: string, alone: boolean, signal: AbortSignal, act: () => Promise<T>): Promise<T> => {
    const end = await turn(key, alone, signal);
    try {
      return await act();
    } finally {
      end();
    }
  };
  return {
    shared: (key, signal, act) => within(key, false, signal, act),
    alone: (key, signal, act) => within(key, true, signal, act),
  };
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof AegirError
    ? signal.reason
    : new AegirError('cancelled', 'cannot wait for the store: it was cancelled');
}
