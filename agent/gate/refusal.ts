// What a visitor gets whose request the gate does not hand over: 503, when to come back, and a small page.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { AWAY_PAGE } from '../engine/http/forwarding.ts';

const RETRY_SECONDS = 10;
const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['Content-Type', 'text/html'],
  ['Content-Length', String(Buffer.byteLength(AWAY_PAGE))],
  ['Retry-After', String(RETRY_SECONDS)],
  ['Cache-Control', 'no-store'],
  // What is left of its body is not read.
  ['Connection', 'close'],
];

export function refuse(response: ServerResponse): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(503, HEADERS.flat());
  response.end(AWAY_PAGE);
}

/** The same on the socket of a request for another protocol. */
export function refuseUpgrade(socket: Duplex): void {
  const lines = HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 503 Service Unavailable\r\n${lines}\r\n${AWAY_PAGE}`);
}
