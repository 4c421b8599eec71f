// Bounds of what passes between two agents, and the messages as bytes. Whatever comes from a peer is checked here first.
import { AegirError, isErrorCode } from '../../shared/error.ts';
import {
  Ask,
  type AskChunks,
  Give,
  type GivenChunk,
  GivenData,
  type TransferFailed,
} from '../../shared/gen/aegir/v1/mesh.ts';

/** Most bytes in one message, and in the answer to one ask unless that is one large chunk. */
export const MESSAGE_BYTES = 512 * 1024;
/** Most bytes that a receiver has asked for and not written yet. */
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** Most asks without an answer: a sender refuses more. */
export const MAX_ASKS = 256;
export const MAX_CHUNKS_OF_ASK = 256;
/** A message without its bytes. */
const OVERHEAD_BYTES = 64 * 1024;
const MAX_MESSAGE_TEXT = 2000;

export type AskBody = NonNullable<Ask['body']>;
export type GiveBody = NonNullable<Give['body']>;

export const encodeAsk = (body: AskBody): Uint8Array => Ask.encode({ body }).finish();
export const encodeGive = (body: GiveBody): Uint8Array => Give.encode({ body }).finish();

export interface DataMessage {
  readonly ask: number;
  readonly last: boolean;
  readonly chunks: readonly GivenChunk[];
  /** Its bytes, one after the other. */
  readonly parts: readonly Uint8Array[];
}

const GIVE_DATA = 0x12; // Give.data = 2, length-delimited
const DATA_BYTES = 0x22; // GivenData.bytes = 4, length-delimited

/** Give with data, as encodeGive makes it, with its bytes copied once instead of three times. */
export function encodeData({ ask, last, chunks, parts }: DataMessage): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const head = GivenData.encode({ ask, last, chunks: [...chunks], bytes: NO_BYTES }).finish();
  const field = size === 0 ? NO_BYTES : Buffer.from([DATA_BYTES, ...varint(size)]);
  const length = head.length + field.length + size;
  return Buffer.concat([Buffer.from([GIVE_DATA, ...varint(length)]), head, field, ...parts]);
}

const NO_BYTES = Buffer.alloc(0);

function varint(value: number): number[] {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

/** undefined for what is none: a newer peer's, or a broken one. */
export function decodeAsk(data: Uint8Array): AskBody | undefined {
  if (data.length > OVERHEAD_BYTES) return undefined;
  try {
    return Ask.decode(data).body;
  } catch {
    return undefined;
  }
}

export function decodeGive(data: Uint8Array): GiveBody | undefined {
  if (data.length > MESSAGE_BYTES + OVERHEAD_BYTES) return undefined;
  try {
    return Give.decode(data).body;
  } catch {
    return undefined;
  }
}

/** How many chunks it asks for; undefined when it asks for what cannot be. */
export function chunksAsked({ spans }: AskChunks, count: number): number | undefined {
  let sum = 0;
  if (spans.length === 0 || spans.length > MAX_CHUNKS_OF_ASK) return undefined;
  for (const { first, count: wanted } of spans) {
    sum += wanted;
    if (wanted < 1 || sum > MAX_CHUNKS_OF_ASK || first + BigInt(wanted) > BigInt(count)) return undefined;
  }
  return sum;
}

export function failureOf(error: AegirError): TransferFailed {
  return { code: error.code, message: error.message.slice(0, MAX_MESSAGE_TEXT), retryable: error.retryable };
}

/** What a peer says of its failure, in bounds. */
export function errorOf({ code, message, retryable }: TransferFailed): AegirError {
  const text = message
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, MAX_MESSAGE_TEXT)
    .toWellFormed();
  return new AegirError(isErrorCode(code) ? code : 'unknown', text, { retryable });
}
