// The receiving side of an agent: fetches what a grant names, over as many connections as it takes, and goes on from
// what is durably there.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type { TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { TransferOpened } from '../../shared/gen/aegir/v1/mesh.ts';
import type { CheckedGrant } from './grant.ts';
import { bothLimits, createLimiter, type Limiter } from './limiter.ts';
import type { Link, Links } from './mesh.ts';
import type { ChunkIndex, Taken, TakenBlob, TakenChunks } from './objects.ts';
import { pause } from './pause.ts';
import { createPull, type Pull } from './pull.ts';
import { receiveBlob } from './receive-blob.ts';
import { receiveChunks } from './receive-chunks.ts';
import { createTally, type Tally, type TransferProgress } from './tally.ts';

export interface ReceiverOptions {
  readonly links: Links;
  readonly limiter: Limiter;
  now(): number;
  readonly log: (level: 'debug' | 'info' | 'warn', text: string) => void;
  /** Silence of a sender that ends an attempt. Default 8 000. */
  readonly idleMs?: number;
  /** Without a byte for so long, the transfer fails. Default 300 000. */
  readonly patienceMs?: number;
}

export interface ReceiveOptions {
  /** The sender, in words. */
  readonly from: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TransferProgress) => void;
}

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** Before the grant ends: what is on its way still comes. */
const MARGIN_MS = 2_000;

/** Throws AegirError; what came until then stays, for the next time. */
export async function receive(
  options: ReceiverOptions,
  grant: CheckedGrant,
  taken: Taken,
  { from, signal, onProgress }: ReceiveOptions,
): Promise<TransferFacts> {
  const tally = createTally(onProgress, () => performance.now());
  const own = grant.bytesPerSecond === undefined ? undefined : createLimiter(grant.bytesPerSecond);
  const limiter = own === undefined ? options.limiter : bothLimits(options.limiter, own);
  const receiving: Receiver = {
    limit: (bytes) => limiter.take(bytes, signal),
    arrived: tally.arrived,
    known: tally.known,
    goOn: () => options.now() < grant.expiresAt - MARGIN_MS,
  };
  const what = `${grant.kind} ${grant.name} from ${from}`;
  const work = taken.form === 'blob' ? blobWork(taken, grant, receiving) : chunksWork(taken, grant, receiving);
  try {
    if (await work.begin()) return tally.facts(true);
    const complete = await untilDone(options, grant, work, tally, signal, what);
    return tally.facts(complete);
  } catch (thrown) {
    const error = toAegirError(thrown, `receive ${what}`);
    const { code, retryable } = error;
    if (signal.aborted && signal.reason instanceof AegirError) throw signal.reason;
    throw new AegirError(code, `cannot receive ${what}: ${error.message}`, { cause: thrown, retryable });
  } finally {
    await work.close();
  }
}

type Receiver = Parameters<ReturnType<typeof receiveBlob>['pull']>[2];

interface Work {
  /** True when all is there already. */
  begin(): Promise<boolean>;
  /** False when the time was over. */
  pull(pull: Pull, opened: TransferOpened): Promise<boolean>;
  close(): Promise<void>;
}

async function untilDone(
  options: ReceiverOptions,
  grant: CheckedGrant,
  work: Work,
  tally: Tally,
  signal: AbortSignal,
  what: string,
): Promise<boolean> {
  const idleMs = options.idleMs ?? 8_000;
  const patienceMs = options.patienceMs ?? 300_000;
  let calmSince = performance.now();
  let backoff = FIRST_BACKOFF_MS;
  for (let before = tally.bytes(); ; ) {
    try {
      if (options.now() >= grant.expiresAt) {
        throw new AegirError('deadline_exceeded', 'the grant has expired; ask again');
      }
      const link = await linkOf(options.links, calmSince + patienceMs - performance.now(), signal);
      return await attempt(link, grant, work, tally, idleMs, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toAegirError(thrown, 'go on');
      if (tally.bytes() > before) {
        before = tally.bytes();
        calmSince = performance.now();
        backoff = FIRST_BACKOFF_MS;
      }
      // The sender's clock says so: the same as when our own does.
      if (error.code === 'deadline_exceeded' && before > 0) return false;
      // Another grant, or another snapshot, is what it takes: whoever ordered the transfer makes one.
      if (
        error.code === 'deadline_exceeded' ||
        error.code === 'data_loss' ||
        !error.retryable ||
        performance.now() - calmSince > patienceMs
      )
        throw error;
      options.log('info', `mesh: ${what}: ${error.message}; going on in ${backoff} ms`);
      await pause(backoff * (0.5 + Math.random() / 2), signal);
      backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
    }
  }
}

async function attempt(
  link: Link,
  grant: CheckedGrant,
  work: Work,
  tally: Tally,
  idleMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const pull = createPull({ link, grant, idleMs, signal });
  try {
    const opened = await pull.open();
    tally.opened();
    const complete = await work.pull(pull, opened);
    pull.end(complete);
    // So that the sender has heard it when this agent ends next.
    if (!link.lost.aborted) await link.flush().catch(() => {});
    return complete;
  } finally {
    tally.roundTrip(pull.roundTripMs());
    pull.end(false);
  }
}

function linkOf(links: Links, ms: number, signal: AbortSignal): Promise<Link> {
  const now = links.current();
  if (now !== undefined && !now.lost.aborted) return Promise.resolve(now);
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(late);
      signal.removeEventListener('abort', aborted);
      queueMicrotask(() => stop());
    };
    const aborted = () => {
      end();
      reject(signal.reason as Error);
    };
    const late = setTimeout(
      () => {
        end();
        reject(new AegirError('unavailable', 'this agent is not connected to the mesh; see: aegir server show'));
      },
      Math.max(0, ms),
    );
    signal.addEventListener('abort', aborted, { once: true });
    const stop = links.onLink((link) => {
      end();
      resolve(link);
    });
  });
}

function blobWork(taken: TakenBlob, grant: CheckedGrant, receiving: Receiver): Work {
  const receipt = receiveBlob(taken.sink, grant.digest, true);
  return {
    begin: () => receipt.begin(),
    pull: async (pull, { form, size }) => {
      if (form !== 'blob') throw wrongForm();
      return receipt.pull(pull, bounded(size, grant.maxBytes), receiving);
    },
    close: () => receipt.close(),
  };
}

function chunksWork(taken: TakenChunks, grant: CheckedGrant, receiving: Receiver): Work {
  const receipt = receiveBlob(taken.sink, grant.digest, false);
  let index: ChunkIndex | undefined;
  let inPlace = false;
  const openIndex = async (path: string): Promise<ChunkIndex> => {
    const opened = await taken.openIndex(path);
    index = opened;
    if (opened.bytes <= grant.maxBytes) return opened;
    throw new AegirError(
      'permission_denied',
      `its chunks have ${opened.bytes} bytes, the grant is for ${grant.maxBytes}`,
    );
  };
  return {
    async begin() {
      inPlace = await receipt.begin();
      if (!inPlace) return false;
      index = await openIndex(taken.sink.path);
      return receiveChunks(index, taken.store).complete();
    },
    async pull(pull, { form, size }) {
      if (form !== 'chunks') throw wrongForm();
      if (index === undefined) {
        const quiet = { ...receiving, arrived: () => {}, known: () => {} };
        // An index names its chunks: it can hardly be longer than what they are.
        const bytes = bounded(size, grant.maxBytes + MAX_INDEX_OVER);
        if (!(await receipt.pull(pull, bytes, quiet))) return false;
        index = await openIndex(taken.sink.staged);
      }
      if (!(await receiveChunks(index, taken.store).pull(pull, receiving))) return false;
      if (!inPlace) await taken.sink.commit();
      return true;
    },
    async close() {
      await index?.close();
      await receipt.close();
    },
  };
}

const MAX_INDEX_OVER = 1024 * 1024;

function wrongForm(): AegirError {
  return new AegirError('permission_denied', 'cannot believe the sender: it sends another form of object');
}

function bounded(size: bigint, most: number): number {
  if (size <= BigInt(most)) return Number(size);
  throw new AegirError(
    'permission_denied',
    `cannot believe the sender: it says ${size} bytes, the grant is for ${most}`,
  );
}
