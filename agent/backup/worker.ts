// The program of a worker thread: does what it is told, one thing after the other, and says how it went.
import { parentPort } from 'node:worker_threads';
import { AegirError, toAegirError } from '../../shared/error.ts';
import { memoryOf } from '../mesh/let-go.ts';
import { createDuties, type Duties } from './duties.ts';
import type { Saying } from './take-files.ts';
import type { Told, WorkerOrder } from './worker-words.ts';

const TELL_MS = 200;
/** Warnings of one order: whoever fills a site with what is not kept fills no log. The rest are counted. */
const MOST_WARNINGS = 100;
/** Smaller ones are copied: giving them away costs more. */
const GIVE_BYTES = 32 * 1024;

const say = (told: Told, give: ArrayBuffer[] = []) => parentPort?.postMessage(told, give);

function serve(): void {
  const duties = createDuties(Date.now);
  parentPort?.on('message', ({ id, duty, order, stop }: WorkerOrder) => {
    const flag = stop === undefined ? undefined : new Int32Array(stop);
    let [toldAt, warnings] = [0, 0];
    const warn = (text: string) => say({ id, is: 'warning', text });
    const saying: Saying = {
      check() {
        if (flag !== undefined && Atomics.load(flag, 0) !== 0)
          throw new AegirError('cancelled', 'cannot go on: it was cancelled');
      },
      progress(bytes) {
        const now = performance.now();
        if (now - toldAt < TELL_MS) return;
        toldAt = now;
        say({ id, is: 'progress', bytes });
      },
      warn(text) {
        warnings += 1;
        if (warnings <= MOST_WARNINGS) warn(text);
      },
      wanted: () => say({ id, is: 'wanted' }),
    };
    try {
      const answer = (duties[duty] as (order: unknown, saying: Saying) => unknown)(order, saying);
      if (warnings > MOST_WARNINGS) warn(`and ${warnings - MOST_WARNINGS} more such warnings, which are not told`);
      say({ id, is: 'done', answer }, givenAway(answer));
    } catch (thrown) {
      const { code, message, retryable, untouched } = toAegirError(thrown, wordsOf(duty));
      say({ id, is: 'failed', code, message, retryable, untouched });
    }
  });
}

/** Bytes that are nobody else's go without a copy. */
function givenAway(answer: unknown): ArrayBuffer[] {
  if (Array.isArray(answer)) return memoryOf(answer.filter((each) => each instanceof Uint8Array));
  const { bytes } = (answer ?? {}) as { bytes?: unknown };
  if (bytes instanceof Uint8Array) return memoryOf([bytes]);
  if (!(answer instanceof Uint8Array) || answer.length < GIVE_BYTES) return [];
  const { buffer } = answer;
  return buffer instanceof ArrayBuffer && buffer.byteLength === answer.length ? [buffer] : [];
}

function wordsOf(duty: keyof Duties): string {
  const words: Partial<Record<keyof Duties, string>> = {
    ...{
      takeFiles: 'keep the files',
      readAlong: 'keep the files',
      chunk: 'read a chunk',
      takeIn: 'keep chunks',
      frames: 'keep chunks',
      putBack: 'restore the files',
    },
  };
  return words[duty] ?? 'handle a part';
}

serve();
