// What agents send because they were told to: each is waited for from one server, under a name that only that server was
// told, and passes through piece by piece, no faster than whoever waits for it takes it.
import { randomBytes } from 'node:crypto';
import type { ServerReadableStream } from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import type { UploadPiece, UploadTaken } from '../../shared/gen/aegir/v1/backup.ts';
import type { Peer } from '../ca/peer.ts';

export type UploadCall = ServerReadableStream<UploadPiece, UploadTaken>;

export interface ExpectedUpload {
  /** For the order to the agent. */
  readonly id: string;
  /**
   * What comes, in order; ends when all of it came. Throws when it is cut, or refused, or silent for too long. To be read
   * once, and in any case left, which ends the upload.
   */
  pieces(): AsyncIterable<Uint8Array>;
  /** Whether its agent has begun. */
  readonly begun: boolean;
  /** Nobody waits any more: it failed, or is not wanted. Repeatable. */
  end(error: AegirError): void;
}

export interface Uploads {
  expect(serverId: string): ExpectedUpload;
  /** The call of an agent, from its first piece to its last. */
  serve(peer: Pick<Peer, 'serverId'>, call: UploadCall): Promise<UploadTaken>;
  /** Ends those of a server, or all. */
  end(error: AegirError, serverId?: string): void;
}

export interface UploadsOptions {
  /** Silence of an agent that ends an upload, ms. Default 120 000. */
  readonly idleMs?: number;
}

interface Waiting {
  readonly serverId: string;
  /** The call, once it is there. */
  readonly came: PromiseWithResolvers<AsyncIterator<UploadPiece>>;
  /** Resolved when all was taken, rejected when it ended before. */
  readonly over: PromiseWithResolvers<void>;
  taken: boolean;
}

const MOST = 32;
const MAX_PIECE = 256 * 1024;
const IDLE_MS = 120_000;

export function createUploads({ idleMs = IDLE_MS }: UploadsOptions = {}): Uploads {
  const waiting = new Map<string, Waiting>();

  const finish = (id: string, error?: AegirError) => {
    const entry = waiting.get(id);
    if (entry === undefined) return;
    waiting.delete(id);
    if (error === undefined) return entry.over.resolve();
    entry.came.reject(error);
    entry.over.reject(error);
  };

  /** The next message, unless the agent is silent for too long or it is over. */
  const next = async (calls: AsyncIterator<UploadPiece>, { over }: Waiting): Promise<UploadPiece> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(silent()), idleMs);
    const ended = over.promise.then(() => Promise.reject(cut()));
    try {
      const { value, done } = await Promise.race([calls.next(), late.promise, ended]);
      if (done === true) throw cut();
      return value;
    } finally {
      clearTimeout(timer);
      ended.catch(() => {});
    }
  };

  async function* piecesOf(id: string, entry: Waiting): AsyncIterable<Uint8Array> {
    try {
      const calls = await entry.came.promise;
      for (let at = 0; ; at += 1) {
        const { uploadId, bytes, last } = await next(calls, entry);
        if (at > 0 && uploadId !== '') throw malformed('names an upload again');
        if (bytes.length > MAX_PIECE) throw malformed(`has more than ${MAX_PIECE} bytes`);
        if (bytes.length > 0) yield bytes;
        if (last) break;
      }
      finish(id);
    } catch (thrown) {
      finish(id, thrown instanceof AegirError ? thrown : cut(thrown));
      throw thrown instanceof AegirError ? thrown : cut(thrown);
    } finally {
      finish(id, new AegirError('cancelled', 'cannot take the upload: nobody waits for it any more'));
    }
  }

  return {
    expect(serverId) {
      if (waiting.size >= MOST) {
        throw new AegirError('resource_exhausted', 'cannot wait for an upload: too many are open here; try later', {
          retryable: true,
        });
      }
      const id = randomBytes(16).toString('hex');
      const entry: Waiting = {
        ...{ serverId, taken: false },
        came: Promise.withResolvers<AsyncIterator<UploadPiece>>(),
        over: Promise.withResolvers<void>(),
      };
      // Whoever awaits them sees why; maybe nobody does yet.
      entry.came.promise.catch(() => {});
      entry.over.promise.catch(() => {});
      waiting.set(id, entry);
      return {
        id,
        get begun() {
          return entry.taken;
        },
        pieces: () => piecesOf(id, entry),
        end: (error) => finish(id, error),
      };
    },

    async serve({ serverId }, call) {
      const calls = call[Symbol.asyncIterator]() as AsyncIterator<UploadPiece>;
      const first = await firstOf(calls, idleMs);
      const entry = waiting.get(first.uploadId);
      // The same words for a name that is wrong, taken, or another server's.
      if (entry === undefined || entry.serverId !== serverId || entry.taken) throw refused();
      entry.taken = true;
      call.once('cancelled', () => finish(first.uploadId, cut()));
      entry.came.resolve(withFirst(first, calls));
      await entry.over.promise;
      return {};
    },

    end(error, serverId) {
      for (const [id, entry] of [...waiting])
        if (serverId === undefined || entry.serverId === serverId) finish(id, error);
    },
  };
}

async function firstOf(calls: AsyncIterator<UploadPiece>, ms: number): Promise<UploadPiece> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(silent()), ms);
  try {
    const { value, done } = await Promise.race([calls.next(), late.promise]);
    if (done === true) throw refused();
    return value;
  } finally {
    clearTimeout(timer);
  }
}

function withFirst(first: UploadPiece, rest: AsyncIterator<UploadPiece>): AsyncIterator<UploadPiece> {
  let held: UploadPiece | undefined = first;
  return {
    async next() {
      const value = held;
      held = undefined;
      return value === undefined ? rest.next() : { value, done: false };
    },
  };
}

function refused(): AegirError {
  return new AegirError('permission_denied', 'cannot take the upload: nobody waits for it');
}

function cut(cause?: unknown): AegirError {
  return new AegirError('unavailable', 'cannot go on with the upload: the agent broke it off', { cause });
}

function silent(): AegirError {
  return new AegirError('unavailable', 'cannot go on with the upload: the agent sends nothing any more');
}

function malformed(what: string): AegirError {
  return new AegirError('invalid_argument', `cannot go on with the upload: a piece ${what}`);
}
