// The gate of one site: a server on a UNIX socket that the web server passes every request on to while the site is held.
// It keeps requests open without reading their bodies, hands them to another server, or refuses them; bounded in number
// and time.
import { randomBytes } from 'node:crypto';
import { chmod, chown, rename, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GateFacts } from '../../shared/gen/aegir/v1/move.ts';
import type { UpstreamSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { type Exchange, forward } from './forward.ts';
import { refuse, refuseUpgrade } from './refusal.ts';
import { createWay, type Way } from './way.ts';

/** Requests that wait for the other server's answer at once: all that were held come at once, and it is to serve them. */
const MOST_UNANSWERED = 64;
/** One that takes longer gives its place to the next, and goes on. */
const PLACE_MS = 2_000;
const MOST_HEADERS = 128 * 1024;
const HEADERS_MS = 60_000;

const NOBODY = { upstream: undefined, maxHeld: 0, maxHoldMillis: 0, holdingSince: undefined };

export type GatePhase = 'hold' | 'forward' | 'refuse';

export interface GateOrder {
  readonly phase: GatePhase;
  /** Where forward leads. */
  readonly upstream: UpstreamSpec | undefined;
  readonly maxHeld: number;
  readonly maxHoldMillis: number;
  /** Since when it holds, ms since 1970; undefined when it does not. */
  readonly holdingSince: number | undefined;
}

export interface GateOptions {
  readonly socket: string;
  /** Who alone may open it; undefined where that is the agent's own user. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Certificates of the site with what vouches for them, PEM. */
  readonly certificates: () => Promise<readonly string[]>;
  readonly now: () => number;
}

export interface Gate {
  /** Listens; what was there before is replaced. Once. */
  open(order: GateOrder): Promise<void>;
  set(order: GateOrder): void;
  facts(): GateFacts;
  /** No more requests come; those that wait are refused, unless it hands them over; those end by themselves. */
  close(): Promise<void>;
  /** Ends all at once, without an answer. */
  cut(): void;
}

interface Waiting {
  readonly exchange: Exchange;
  readonly since: number;
}

export function createGate(options: GateOptions): Gate {
  const { now } = options;
  const counts = { held: 0n, longest: 0, forwarded: 0n, refused: 0n, failed: 0n };
  const waiting = new Set<Waiting>();
  const tunnels = new Set<Duplex>();
  let order: GateOrder | undefined;
  let way: Way | undefined;
  let expired = false;
  let timer: NodeJS.Timeout | undefined;
  let lastAt: number | undefined;
  let unanswered = 0;

  const answerWith503 = (exchange: Exchange) => {
    counts.refused += 1n;
    if ('socket' in exchange) refuseUpgrade(exchange.socket);
    else refuse(exchange.response);
  };

  const leave = (one: Waiting) => {
    if (!waiting.delete(one)) return;
    counts.longest = Math.max(counts.longest, performance.now() - one.since);
  };

  const holds = () => order?.phase === 'hold' && !expired;
  const hands = () => order?.phase === 'forward' && way !== undefined;

  const take = (exchange: Exchange) => {
    lastAt = now();
    const full = waiting.size >= (order?.maxHeld ?? 0);
    if ((!holds() && !hands()) || full) return answerWith503(exchange);
    const one = { exchange, since: performance.now() };
    waiting.add(one);
    if (holds()) counts.held += 1n;
    const gone = 'socket' in exchange ? exchange.socket : exchange.response;
    gone.once('close', () => leave(one));
    pump();
  };

  /** First come, first served. */
  const pump = () => {
    if (!hands() || way === undefined) return;
    for (const one of waiting) {
      if (unanswered >= MOST_UNANSWERED) return;
      leave(one);
      void hand(one.exchange, way);
    }
  };

  const hand = async (exchange: Exchange, by: Way) => {
    unanswered += 1;
    let placed = true;
    const free = () => {
      if (!placed) return;
      placed = false;
      clearTimeout(patience);
      unanswered -= 1;
      pump();
    };
    const patience = setTimeout(free, PLACE_MS);
    const visitor = new AbortController();
    const back = 'socket' in exchange ? exchange.socket : exchange.response;
    const gone = () => visitor.abort();
    back.once('close', gone);
    try {
      await forward(exchange, { way: by, signal: visitor.signal, onAnswer: free });
      counts.forwarded += 1n;
    } catch {
      if (visitor.signal.aborted) return;
      counts.failed += 1n;
      if ('socket' in exchange) refuseUpgrade(exchange.socket);
      else if (exchange.response.headersSent) exchange.response.destroy();
      else refuse(exchange.response);
    } finally {
      free();
    }
  };

  const server = createServer({ requestTimeout: 0, headersTimeout: HEADERS_MS, maxHeaderSize: MOST_HEADERS });
  server.timeout = 0;
  server.on('request', (request, response) => take({ request, response, expects: false }));
  server.on('checkContinue', (request, response) => take({ request, response, expects: true }));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    tunnels.add(socket);
    socket.once('close', () => tunnels.delete(socket));
    take({ request, socket, head });
  });

  const refuseAll = () => {
    for (const one of [...waiting]) {
      leave(one);
      answerWith503(one.exchange);
    }
  };

  const set = (next: GateOrder) => {
    order = next;
    expired = false;
    clearTimeout(timer);
    way?.close();
    way = next.upstream === undefined ? undefined : createWay(next.upstream, options.certificates);
    if (next.phase === 'refuse') refuseAll();
    if (next.phase === 'forward') pump();
    if (next.phase !== 'hold' || next.holdingSince === undefined) return;
    const expire = () => {
      expired = true;
      refuseAll();
    };
    const left = next.holdingSince + next.maxHoldMillis - now();
    if (left <= 0) return expire();
    timer = setTimeout(expire, left);
  };

  return {
    async open(first) {
      set(first);
      await listen(server, options);
    },
    set,
    facts: () => ({
      phase: expired ? 'expired' : (order?.phase ?? 'closed'),
      waiting: BigInt(waiting.size),
      held: counts.held,
      longestMillis: BigInt(Math.round(longestOf(counts.longest, waiting))),
      forwarded: counts.forwarded,
      refused: counts.refused,
      failed: counts.failed,
      lastAt: lastAt === undefined ? undefined : new Date(lastAt),
      holdingSince: order?.phase === 'hold' ? new Date(order.holdingSince ?? now()) : undefined,
    }),
    async close() {
      clearTimeout(timer);
      await stopListening(server, options.socket);
      if (!hands()) {
        set({ ...NOBODY, phase: 'refuse' });
      }
    },
    cut() {
      clearTimeout(timer);
      way?.close();
      server.close();
      server.closeAllConnections();
      for (const socket of tunnels) socket.destroy();
    },
  };
}

/**
 * A connection that nobody has accepted yet is reset when its server ends. So the name goes first, and then all who came by
 * it before are let in: one of our own comes last.
 */
async function stopListening(server: Server, socket: string): Promise<void> {
  const last = `${socket}.closing`;
  try {
    await rename(socket, last);
    await new Promise<void>((resolve) => {
      const own = connect({ path: last });
      own.once('error', () => resolve());
      // Accepting is in order, and what is accepted here stays behind by one turn at most.
      own.once('connect', () => own.end());
      own.once('close', () => resolve());
    });
  } catch {
    // Somebody took the name away: nobody comes by it.
  }
  await rm(last, { force: true });
  // Not that of HTTP, which ends connections whose request is still on its way.
  NetServer.prototype.close.call(server);
}

/** Those that still wait count, too. */
function longestOf(longest: number, waiting: ReadonlySet<Waiting>): number {
  let most = longest;
  for (const { since } of waiting) most = Math.max(most, performance.now() - since);
  return most;
}

/** Under another name until nobody but its owner can open it. */
async function listen(server: Server, { socket, owner }: GateOptions): Promise<void> {
  const path = `${socket.slice(0, -'.gate'.length)}.${randomBytes(2).toString('hex')}`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog: 511 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => {}); // of accepting: the web server tries again
  await chmod(path, 0o600);
  if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  await rename(path, socket);
}
