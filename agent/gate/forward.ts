// Hands one request over to another server and its answer back: streamed both ways, never kept; sockets of other protocols
// too. What reached that server is sent again only when that is harmless (RFC 9110 section 9.2.2); what did not is, for a
// while.
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { endToEnd, headerOf } from './headers.ts';
import { connected, type Outgoing, type Way } from './way.ts';

/** How long a server is tried that takes no connections, for example since it reads its configuration again. */
const PATIENCE_MS = 10_000;
const EVERY_MS = 100;
/** Of those that Node gives no length of its own. */
const WITHOUT_BODY = ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE'];
const REPEATABLE = ['GET', 'HEAD', 'OPTIONS'];

/** A request as it came to the gate, and where its answer goes. */
export type Exchange =
  | { readonly request: IncomingMessage; readonly response: ServerResponse; readonly expects: boolean }
  /** For another protocol: head is what came behind it already. */
  | { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer };

export interface Handing {
  readonly way: Way;
  /** Aborted when the visitor is gone. */
  readonly signal: AbortSignal;
  /** The other server has begun to answer. */
  readonly onAnswer: () => void;
}

/** Resolves when the answer has begun to go back; throws when the other server gave none, and the visitor has none yet. */
export async function forward(exchange: Exchange, handing: Handing): Promise<void> {
  const { request } = exchange;
  const upgrade = 'socket' in exchange;
  const hasBody = request.headers['content-length'] !== undefined || 'transfer-encoding' in request.headers;
  const repeatable = !upgrade && !(hasBody && request.headers['content-length'] !== '0') && isRepeatable(request);
  const outgoing: Outgoing = {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: headersOf(request, upgrade),
    name: (request.headers.host ?? '').replace(/:\d+$/, ''),
    secure: request.headers['x-forwarded-proto'] === 'https',
    repeatable,
  };
  const end = performance.now() + PATIENCE_MS;
  for (let tries = 0; ; tries++) {
    // A connection that was kept may end as it is used, and all that are kept may at once.
    const call = await connect(handing, { ...outgoing, repeatable: repeatable && tries === 0 }, end);
    try {
      return await (upgrade ? pass(exchange, call, handing) : relay(exchange, call, handing));
    } catch (error) {
      if (!repeatable || handing.signal.aborted || tries >= 2) throw error;
    }
  }
}

/** A connection that stands; what was not sent may be tried again, whatever it is. */
async function connect({ way, signal }: Handing, outgoing: Outgoing, end: number): Promise<ClientRequest> {
  for (;;) {
    signal.throwIfAborted();
    const call = await way.open(outgoing);
    call.on('error', () => {}); // told by whoever waits for it
    try {
      await connected(call);
      return call;
    } catch (error) {
      call.destroy();
      if (performance.now() >= end) throw error;
    }
    await pause(EVERY_MS, undefined, { signal });
  }
}

function relay(
  { request, response, expects }: Extract<Exchange, { response: ServerResponse }>,
  call: ClientRequest,
  { signal, onAnswer }: Handing,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => call.destroy();
    signal.addEventListener('abort', gone, { once: true });
    call.on('error', (error) => {
      signal.removeEventListener('abort', gone);
      reject(error); // no effect once it has answered
    });
    call.once('response', (answer) => {
      onAnswer();
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
      // Events and the like: the visitor sees that it has begun.
      response.flushHeaders();
      answer.pipe(response);
      answer.once('end', () => signal.removeEventListener('abort', gone));
      // It died in the middle: so does the answer, or it would seem whole.
      answer.once('error', () => response.destroy());
      resolve();
    });
    if (expects) response.writeContinue();
    request.pipe(call);
  });
}

/** The two sockets are one from the answer on. */
function pass(
  { socket, head }: Extract<Exchange, { socket: Duplex }>,
  call: ClientRequest,
  { signal, onAnswer }: Handing,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => call.destroy();
    signal.addEventListener('abort', gone, { once: true });
    call.on('error', reject);
    const begin = (answer: IncomingMessage, lines: readonly string[]) => {
      onAnswer();
      const text = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
      for (let at = 0; at + 1 < lines.length; at += 2) text.push(`${lines[at]}: ${lines[at + 1]}`);
      socket.write(`${text.join('\r\n')}\r\n\r\n`, 'latin1');
    };
    call.once('upgrade', (answer, other, first) => {
      signal.removeEventListener('abort', gone);
      begin(answer, answer.rawHeaders);
      if (first.length > 0) socket.write(first);
      if (head.length > 0) other.write(head);
      tie(socket, other);
      resolve();
    });
    call.once('response', (answer) => {
      begin(answer, [...endToEnd(answer.rawHeaders), 'Connection', 'close']);
      answer.pipe(socket);
      answer.once('error', () => socket.destroy());
      resolve();
    });
    call.end();
  });
}

function tie(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
}

function isRepeatable({ method = '' }: IncomingMessage): boolean {
  return REPEATABLE.includes(method);
}

function headersOf(request: IncomingMessage, upgrade: boolean): string[] {
  const { rawHeaders, method = '' } = request;
  const headers = endToEnd(rawHeaders, ['expect']);
  if (upgrade) return [...headers, 'Connection', 'Upgrade', 'Upgrade', headerOf(rawHeaders, 'upgrade') ?? ''];
  if (request.headers['content-length'] !== undefined || WITHOUT_BODY.includes(method)) {
    const chunked = request.headers['transfer-encoding'] !== undefined;
    return chunked ? [...headers, 'Transfer-Encoding', 'chunked'] : headers;
  }
  if (request.headers['transfer-encoding'] !== undefined) return [...headers, 'Transfer-Encoding', 'chunked'];
  // Node would say that one comes, in chunks.
  return [...headers, 'Content-Length', '0'];
}
