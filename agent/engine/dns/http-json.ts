// Requests of dns engines to services that speak JSON over HTTP: bounded in time and size, ended with the task, no
// redirections, which could carry a key elsewhere.
import { AegirError } from '../../../shared/error.ts';

const WITHIN_MS = 20_000;
/**
 * Of one answer, so that the agent takes at most some 180 MB more while it reads it, whatever that is. A provider shows all that
 * it has at once: 60 000 sets of records are 11 MB and 700 000 values.
 */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_VALUES = 1_000_000;

export interface JsonClientOptions {
  /** Without a slash at the end. */
  readonly url: string;
  /** What people call it, for example "PowerDNS". */
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly withinMs?: number;
}

export interface JsonRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Begins with a slash. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** For messages: "read zone example.org". */
  readonly doing: string;
  readonly signal: AbortSignal;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of the text; throws when it is no JSON. */
  json(): unknown;
}

export type JsonClient = (request: JsonRequest) => Promise<JsonAnswer>;

export function createJsonClient({ url, what, headers, withinMs = WITHIN_MS }: JsonClientOptions): JsonClient {
  return async ({ method = 'GET', path, body, headers: more, doing, signal }) => {
    const tooLate = AbortSignal.timeout(withinMs);
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { ...headers, ...more },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.any([signal, tooLate]),
      });
      const text = await bounded(response, doing);
      const json = (): unknown => {
        try {
          return JSON.parse(text);
        } catch {
          throw new AegirError('unavailable', `cannot ${doing}: ${what} at ${url} answered something that is no JSON`);
        }
      };
      return { status: response.status, headers: response.headers, text, json };
    } catch (cause) {
      if (signal.aborted) throw new AegirError('cancelled', `cannot ${doing}: it was cancelled`);
      if (cause instanceof AegirError) throw cause;
      const why = tooLate.aborted
        ? `${what} at ${url} did not answer in time`
        : `there is no answer from ${what} at ${url}`;
      throw new AegirError('unavailable', `cannot ${doing}: ${why}${reason(cause)}`, { cause });
    }
  };

  async function bounded(response: Response, doing: string): Promise<string> {
    const refuse = (over: string): never => {
      const why = `what ${what} at ${url} answers is over ${over}, the most that one server may have`;
      throw new AegirError('resource_exhausted', `cannot ${doing}: ${why}; share its zones out among several`);
    };
    const chunks: Uint8Array[] = [];
    const count = createValueCount();
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > MAX_BYTES) refuse(`${MAX_BYTES / 1024 / 1024} MiB`);
      if (count(chunk) > MAX_VALUES) refuse(`${MAX_VALUES} values`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

const [QUOTE, ESCAPE] = [0x22, 0x5c];
/** Of JSON: each value but the first has one of these before it, outside of strings. */
const BEFORE_VALUES: ReadonlySet<number> = new Set(Buffer.from('[{,'));

/** Counts the values of a text of JSON, piece by piece: small ones take many times the room of their text. */
function createValueCount(): (piece: Uint8Array) => number {
  let [values, inString, escaped] = [0, false, false];
  return (piece) => {
    for (const byte of piece) {
      if (escaped) escaped = false;
      else if (byte === QUOTE) inString = !inString;
      else if (inString) escaped = byte === ESCAPE;
      else if (BEFORE_VALUES.has(byte)) values += 1;
    }
    return values;
  };
}

/** The system's word, such as ECONNREFUSED, or what fetch says of the request. */
function reason(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  if (!(cause instanceof Error)) return '';
  const { code = cause.message } = cause as NodeJS.ErrnoException;
  return /^[\w .-]{1,60}$/.test(code) ? ` (${code})` : '';
}
