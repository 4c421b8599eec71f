// One transfer as its sender has it: answers asks one after the other, within the limit, until it ends.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type { AskBytes, AskChunks } from '../../shared/gen/aegir/v1/mesh.ts';
import type { CheckedGrant } from './grant.ts';
import { letGo } from './let-go.ts';
import type { Limiter } from './limiter.ts';
import { type Bytes, type ChunkRef, type Given, MAX_CHUNK_BYTES, type StoredChunk } from './objects.ts';
import { chunksAsked, type DataMessage, type GiveBody, MAX_ASKS, MESSAGE_BYTES } from './wire.ts';

export interface SendSession {
  ask(ask: Question): void;
  /** Ends it; told says whether the receiver hears why. Repeatable. */
  end(error: AegirError, told: boolean): void;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<void>;
}

export type Question =
  | { readonly of: 'bytes'; readonly value: AskBytes }
  | { readonly of: 'chunks'; readonly value: AskChunks };

export interface SendSessionDeps {
  readonly grant: CheckedGrant;
  readonly given: Given;
  readonly limiter: Limiter;
  /** Sends one message, when there is room. */
  give(body: GiveBody): Promise<void>;
  data(message: DataMessage): Promise<void>;
  /** Notes bytes under the grant; throws when they are too many. */
  spend(bytes: number): void;
  /** Told why it ended, before the receiver is. */
  onEnd(error: AegirError): void;
  /** Without an ask for so long, the receiver is gone. */
  readonly idleMs: number;
  /** How often the receiver hears that its data is on its way. */
  readonly stillMs: number;
}

export function createSendSession(deps: SendSessionDeps): SendSession {
  const { given, grant } = deps;
  const queue: Question[] = [];
  const loading = new Map<Question, Promise<readonly StoredChunk[]>>();
  const looked = new WeakMap<AskChunks, Promise<readonly ChunkRef[]>>();
  const stop = new AbortController();
  const done = Promise.withResolvers<void>();
  const bytes: Bytes = given.form === 'blob' ? given : given.bytes;
  let working = false;
  let closed = false;
  let last = 0;

  const end = (error: AegirError, told: boolean) => {
    if (stop.signal.aborted) return;
    stop.abort(error);
    clearTimeout(idle);
    clearInterval(still);
    queue.length = 0;
    loading.clear();
    deps.onEnd(error);
    const failed = { code: error.code, message: error.message, retryable: error.retryable };
    const farewell = told ? deps.give({ $case: 'failed', value: failed }) : Promise.resolve();
    void farewell.catch(() => {}).then(() => (working ? undefined : close()));
  };
  const close = () => {
    if (closed) return;
    closed = true;
    given.close().then(done.resolve, done.resolve);
  };
  const gone = () => {
    // It waits for us, as long as there is something to answer.
    if (working) idle = setTimeout(gone, deps.idleMs);
    else end(IDLE, true);
  };
  let idle = setTimeout(gone, deps.idleMs);
  const still = setInterval(() => {
    if (working) deps.give({ $case: 'still', value: {} }).catch(() => {});
  }, deps.stillMs);

  const give = async (data: DataMessage) => {
    const size = data.parts.reduce((sum, part) => sum + part.length, 0);
    await deps.limiter.take(size, stop.signal);
    deps.spend(size);
    stop.signal.throwIfAborted();
    await deps.data(data);
  };

  /** The chunks that it asks for; the store hears of them at once. */
  const lookUp = async ({ spans }: AskChunks): Promise<readonly ChunkRef[]> => {
    if (given.form !== 'chunks') return [];
    const refs: ChunkRef[] = [];
    for (const { first, count } of spans) refs.push(...(await given.index.at(Number(first), count)));
    given.store.soon?.(refs.map(({ id }) => id));
    return refs;
  };
  const load = async (asked: AskChunks): Promise<readonly StoredChunk[]> => {
    if (given.form !== 'chunks') return [];
    const refs = await (looked.get(asked) ?? lookUp(asked));
    const size = refs.reduce((sum, ref) => sum + ref.size, 0);
    if (size > (refs.length === 1 ? MAX_CHUNK_BYTES : MESSAGE_BYTES)) throw refused('more chunks than go at once');
    return Promise.all(refs.map(async ({ id, size }) => fitting(id, size, await given.store.get(id))));
  };
  /** While one answer goes, the chunks of the next ones are read. */
  const readAhead = () => {
    for (const question of queue.slice(0, AHEAD)) {
      if (question.of !== 'chunks' || loading.has(question)) continue;
      const chunks = load(question.value);
      chunks.catch(() => {}); // met in its turn
      loading.set(question, chunks);
    }
  };
  const answer = async (question: Question): Promise<void> => {
    if (question.of === 'bytes') {
      const { ask, offset, length } = question.value;
      return give({ ask, last: true, chunks: [], parts: [await bytes.read(Number(offset), length)] });
    }
    const { ask } = question.value;
    const chunks = await (loading.get(question) ?? load(question.value));
    loading.delete(question);
    const over = () => {
      // A message has a copy of it.
      for (const { own, bytes } of chunks) if (own === true) letGo(bytes);
    };
    const described = chunks.map(({ compression, bytes }) => ({ compression, size: bytes.length }));
    const [only] = chunks;
    if (chunks.length > 1 || only === undefined) {
      await give({ ask, last: true, chunks: described, parts: chunks.map((chunk) => chunk.bytes) });
      return over();
    }
    for (let at = 0; at < only.bytes.length; at += MESSAGE_BYTES) {
      const part = only.bytes.subarray(at, at + MESSAGE_BYTES);
      const last = at + part.length === only.bytes.length;
      await give({ ask, last, chunks: last ? described : [], parts: [part] });
    }
    over();
  };

  const work = async () => {
    working = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        readAhead();
        await answer(next);
      }
    } catch (thrown) {
      const error = thrown instanceof AegirError ? thrown : toAegirError(thrown, `send ${grant.kind} ${grant.name}`);
      working = false;
      end(error, true);
    } finally {
      working = false;
      if (stop.signal.aborted) close();
    }
  };

  return {
    ended: done.promise,
    end,
    ask(question) {
      if (stop.signal.aborted) return;
      clearTimeout(idle);
      idle = setTimeout(gone, deps.idleMs);
      const { ask } = question.value;
      if (queue.length >= MAX_ASKS || ask <= last || !isPossible(question, bytes, given)) {
        end(refused('what a receiver may not ask'), true);
        return;
      }
      last = ask;
      queue.push(question);
      if (question.of === 'chunks') {
        const refs = lookUp(question.value);
        refs.catch(() => {}); // met in its turn
        looked.set(question.value, refs);
      }
      if (!working) void work();
    },
  };
}

/** Asks whose chunks are in memory before their turn. */
const AHEAD = 2;
const IDLE = new AegirError('aborted', 'cannot send: the receiver has asked for nothing for too long');

function refused(what: string): AegirError {
  return new AegirError('permission_denied', `cannot send what was asked for: it is ${what}`);
}

function isPossible(question: Question, bytes: Bytes, given: Given): boolean {
  if (question.of === 'chunks') {
    return given.form === 'chunks' && chunksAsked(question.value, given.index.count) !== undefined;
  }
  const { offset, length } = question.value;
  return length >= 1 && length <= MESSAGE_BYTES && offset + BigInt(length) <= BigInt(bytes.size);
}

/** A chunk that takes more room than its bytes is damaged; the receiver would refuse it. */
function fitting(id: string, size: number, chunk: StoredChunk): StoredChunk {
  if (chunk.bytes.length <= size) return chunk;
  throw new AegirError('data_loss', `cannot send chunk ${id}: it is damaged here; verify the store`);
}
