// Threads that wait for disks and compute in the agent's stead. They begin when there is something to do and end when there
// was nothing for a while, so that the agent at rest has none.
import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { setFlagsFromString } from 'node:v8';
import { type MessagePort, Worker } from 'node:worker_threads';
import { AegirError } from '../../shared/error.ts';
import type { Duties } from './duties.ts';
import type { Told, WorkerOrder } from './worker-words.ts';

type OrderOf<K extends keyof Duties> = Parameters<Duties[K]>[0];
type AnswerOf<K extends keyof Duties> = ReturnType<Duties[K]>;

export interface CallOptions {
  /** Aborted, the work stops at its next safe place and the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
  readonly onWarning?: (text: string) => void;
  /** It could do with a second thread; called once at most. */
  readonly onWanted?: () => void;
  /** Given away with the order, without a copy. */
  readonly give?: (ArrayBuffer | MessagePort)[];
}

/** One thread, for one piece of work at a time. */
export interface Hand {
  /** Calls are done one after the other. Throws AegirError. */
  call<K extends keyof Duties>(duty: K, order: OrderOf<K>, options?: CallOptions): Promise<AnswerOf<K>>;
  /** The work is over; everything it opened is closed. Repeatable. */
  release(): Promise<void>;
}

export interface Workers {
  take(): Promise<Hand>;
  close(): Promise<void>;
}

interface Pending {
  readonly options: CallOptions;
  readonly answer: PromiseWithResolvers<unknown>;
}

interface Thread {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  idle: NodeJS.Timeout | undefined;
  dead: boolean;
}

const IDLE_MS = 15_000;
const YOUNG_MB = 8;
/** File name in the binary; see deploy/build. */
export const WORKER_ASSET = 'backup-worker.cjs';

export function createWorkers(): Workers {
  const idle: Thread[] = [];
  const all = new Set<Thread>();
  let calls = 0;

  const begin = (): Thread => {
    const thread: Thread = { worker: startWorker(), pending: new Map(), idle: undefined, dead: false };
    all.add(thread);
    thread.worker.on('message', (told: Told) => {
      const pending = thread.pending.get(told.id);
      if (pending === undefined) return;
      if (told.is === 'progress') return pending.options.onProgress?.(told.bytes);
      if (told.is === 'warning') return pending.options.onWarning?.(told.text);
      if (told.is === 'wanted') return pending.options.onWanted?.();
      thread.pending.delete(told.id);
      if (told.is === 'done') return pending.answer.resolve(told.answer);
      const { code, message, retryable, untouched } = told;
      pending.answer.reject(new AegirError(code, message, { retryable, untouched }));
    });
    const ended = (why: unknown) => {
      thread.dead = true;
      all.delete(thread);
      const at = idle.indexOf(thread);
      if (at >= 0) idle.splice(at, 1);
      const error = new AegirError('internal', 'cannot go on: a worker of the agent ended', {
        cause: why,
        retryable: true,
      });
      for (const { answer } of thread.pending.values()) answer.reject(error);
      thread.pending.clear();
    };
    thread.worker.on('error', ended);
    thread.worker.on('exit', (code) => ended(new Error(`exit ${code}`)));
    return thread;
  };

  const call = async <K extends keyof Duties>(
    thread: Thread,
    duty: K,
    order: OrderOf<K>,
    options: CallOptions = {},
  ): Promise<AnswerOf<K>> => {
    const { signal, give = [] } = options;
    signal?.throwIfAborted();
    if (thread.dead) throw new AegirError('internal', 'cannot go on: a worker of the agent ended', { retryable: true });
    // Chunks come by the thousand, and nobody stops one.
    const stop = signal === undefined ? undefined : new SharedArrayBuffer(4);
    const answer = Promise.withResolvers<unknown>();
    const aborted = () => void (stop && Atomics.store(new Int32Array(stop), 0, 1));
    calls += 1;
    thread.pending.set(calls, { options, answer });
    signal?.addEventListener('abort', aborted, { once: true });
    try {
      const message: WorkerOrder = { id: calls, duty, order, stop };
      thread.worker.postMessage(message, give);
      return (await answer.promise) as AnswerOf<K>;
    } catch (thrown) {
      signal?.throwIfAborted();
      throw thrown;
    } finally {
      signal?.removeEventListener('abort', aborted);
    }
  };

  return {
    async take() {
      const thread = idle.pop() ?? begin();
      clearTimeout(thread.idle);
      thread.worker.ref();
      let released = false;
      return {
        call: (duty, order, options) => call(thread, duty, order, options),
        async release() {
          if (released || thread.dead) return;
          released = true;
          await call(thread, 'reset', undefined);
          thread.idle = setTimeout(() => void thread.worker.terminate(), IDLE_MS);
          thread.idle.unref();
          thread.worker.unref();
          idle.push(thread);
        },
      };
    },
    async close() {
      for (const { idle: timer } of all) clearTimeout(timer);
      await Promise.all([...all].map(({ worker }) => worker.terminate()));
    },
  };
}

function startWorker(): Worker {
  // What the agent was started with for its own small heap would hold for its threads, too, whatever their limits say.
  setFlagsFromString('--max-semi-space-size=0');
  // FFI is marked as an experiment in the Node that we bring along, which is the only one that runs this.
  const options = {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // What a file takes is short-lived: with less room V8 would clear up hundreds of times for one site.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  };
  return isSea()
    ? new Worker(getAsset(WORKER_ASSET, 'utf8'), { ...options, eval: true })
    : new Worker(join(import.meta.dirname, 'worker.ts'), options);
}
