// One attempt of a transfer as its receiver has it: questions out, answers in, and the end of it all when the sender
// says what it was not asked for, or nothing for too long.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { GivenChunk, GivenData, TransferOpened } from '../../shared/gen/aegir/v1/mesh.ts';
import type { CheckedGrant } from './grant.ts';
import { letGo } from './let-go.ts';
import type { Link } from './mesh.ts';
import { type AskBody, decodeGive, encodeAsk, errorOf, type GiveBody, MAX_CHUNKS_OF_ASK } from './wire.ts';

export interface Answer {
  readonly bytes: Uint8Array;
  readonly chunks: readonly GivenChunk[];
}

export interface Pull {
  /** Shows the grant. Rejects with what the sender says against it. */
  open(): Promise<TransferOpened>;
  /** Asks; the answer has at most so many bytes. Answers come in the order of asking. */
  ask(question: Wanted, bytes: number): Promise<Answer>;
  /** Tells the sender; nothing is heard any more. Repeatable. */
  end(complete: boolean): void;
  /** Shortest time from a question to its answer, ms; undefined for none. */
  roundTripMs(): number | undefined;
}

export type Wanted =
  | { readonly of: 'bytes'; readonly offset: number; readonly length: number }
  | { readonly of: 'chunks'; readonly spans: readonly { readonly first: number; readonly count: number }[] };

export interface PullOptions {
  readonly link: Link;
  readonly grant: CheckedGrant;
  /** Silence for so long ends it. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

interface Pending {
  readonly ask: number;
  readonly most: number;
  readonly askedAt: number;
  /** Nothing was on its way when it was asked: its answer tells the round trip. */
  readonly alone: boolean;
  readonly parts: Uint8Array[];
  size: number;
  readonly answer: PromiseWithResolvers<Answer>;
}

const KNOCK_MS = 1000;

export function createPull({ link, grant, idleMs, signal }: PullOptions): Pull {
  const transfer = randomBytes(12).toString('hex');
  const opening = Promise.withResolvers<TransferOpened>();
  opening.promise.catch(() => {}); // whoever asks awaits it
  const pending: Pending[] = [];
  let asks = 0;
  let heardAt = performance.now();
  let waiting = false;
  let heard = false;
  let knocking: NodeJS.Timeout | undefined;
  let over: AegirError | undefined;
  let roundTrip: number | undefined;

  const send = (body: AskBody) => link.send(grant.senderId, 'ask', transfer, encodeAsk(body));
  const stop = (error: AegirError, tell: boolean, complete = false) => {
    if (over !== undefined) return;
    over = error;
    clearInterval(watch);
    clearInterval(knocking);
    signal.removeEventListener('abort', aborted);
    link.lost.removeEventListener('abort', lost);
    unheard();
    opening.reject(error);
    for (const { answer } of pending.splice(0)) answer.reject(error);
    if (!tell || link.lost.aborted) return;
    try {
      send({ $case: 'end', value: { complete } });
    } catch {
      // The link ended with it: the sender sees that by itself.
    }
  };
  const violated = (what: string) =>
    stop(new AegirError('permission_denied', `cannot believe the sender: it sent ${what}`), true);

  const data = ({ ask, last, bytes, chunks }: GivenData) => {
    const first = pending[0];
    if (first === undefined || first.ask !== ask) return violated('what it was not asked for');
    first.size += bytes.length;
    if (first.size > first.most) return violated('more than it was asked for');
    if (chunks.length > MAX_CHUNKS_OF_ASK) return violated('more chunks than it was asked for');
    if (first.alone && first.parts.length === 0) {
      roundTrip = Math.min(roundTrip ?? Number.POSITIVE_INFINITY, performance.now() - first.askedAt);
    }
    first.parts.push(bytes);
    if (!last) return;
    pending.shift();
    first.answer.resolve({ bytes: joined(first.parts), chunks });
  };
  const hear = (body: GiveBody) => {
    if (body.$case === 'failed') return stop(errorOf(body.value), false);
    if (body.$case === 'data') return data(body.value);
    if (body.$case === 'opened') opening.resolve(body.value);
  };
  const unheard = link.hear(grant.senderId, 'give', transfer, (_, __, message) => {
    if (over !== undefined) return;
    heardAt = performance.now();
    heard = true;
    const body = decodeGive(message);
    if (body === undefined) violated('what is no message');
    else hear(body);
  });
  const silent = () => {
    if (!(waiting || pending.length > 0) || performance.now() - heardAt < idleMs) return;
    const seconds = Math.round(idleMs / 1000);
    stop(new AegirError('unavailable', `cannot go on: the sender has said nothing for ${seconds} s`), true);
  };
  const watch = setInterval(silent, Math.min(1000, idleMs / 2));
  const aborted = () => stop(reasonOf(signal), true);
  const lost = () => stop(reasonOf(link.lost), false);
  signal.addEventListener('abort', aborted);
  link.lost.addEventListener('abort', lost);
  if (signal.aborted) aborted();
  else if (link.lost.aborted) lost();

  return {
    roundTripMs: () => roundTrip,
    async open() {
      if (over !== undefined) throw over;
      waiting = true;
      heardAt = performance.now();
      const open = () => send({ $case: 'open', value: { grant: grant.signed } });
      open();
      // The sender may just be connecting; once it has said anything it has heard us.
      knocking = setInterval(() => {
        if (heard) return clearInterval(knocking);
        try {
          open();
        } catch (error) {
          stop(error as AegirError, false);
        }
      }, KNOCK_MS);
      const opened = await opening.promise;
      waiting = false;
      return opened;
    },
    ask(question, most) {
      const answer = Promise.withResolvers<Answer>();
      answer.promise.catch(() => {}); // awaited in its turn, maybe never
      if (over !== undefined) {
        answer.reject(over);
        return answer.promise;
      }
      asks += 1;
      const askedAt = performance.now();
      if (pending.length === 0) heardAt = askedAt;
      pending.push({ ask: asks, most, askedAt, alone: pending.length === 0, parts: [], size: 0, answer });
      try {
        send(bodyOf(asks, question));
      } catch (error) {
        stop(error as AegirError, false);
      }
      return answer.promise;
    },
    end: (complete) => stop(new AegirError('cancelled', 'cannot go on: the transfer was ended'), true, complete),
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const bytes = Buffer.concat(parts);
  for (const part of parts) letGo(part);
  return bytes;
}

function bodyOf(ask: number, wanted: Wanted): AskBody {
  if (wanted.of === 'bytes') {
    return { $case: 'bytes', value: { ask, offset: BigInt(wanted.offset), length: wanted.length } };
  }
  const spans = wanted.spans.map(({ first, count }) => ({ first: BigInt(first), count }));
  return { $case: 'chunks', value: { ask, spans } };
}

function reasonOf(signal: AbortSignal): AegirError {
  const reason: unknown = signal.reason;
  return reason instanceof AegirError ? reason : new AegirError('cancelled', 'cannot go on: it was cancelled');
}
