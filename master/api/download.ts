// The web listener: HTTPS, the agent's archive for new hosts. Nothing here needs a token, so nothing here
// may tell a secret or change anything.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { SecureContextOptions } from 'node:tls';
import type { Serving } from '../ca/serving.ts';

export interface DownloadOptions {
  readonly host: string;
  readonly port: number;
  readonly serving: Pick<Serving, 'current' | 'onChange'>;
  /** Archives by the name that hosts ask for. */
  readonly archives: Readonly<Record<string, string>>;
}

export interface DownloadListener {
  readonly port: number;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 100;
const TIMEOUT_MS = 10 * 60_000;
const HEADERS_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;
/** Hosts that join come one by one; some stand behind one address. */
const MAX_OF_ONE_ADDRESS = 20;

export async function createDownloadListener(options: DownloadOptions): Promise<DownloadListener> {
  const secured = (): SecureContextOptions => {
    const { chainPem, keyPem } = options.serving.current();
    return { cert: chainPem, key: keyPem, minVersion: 'TLSv1.2' };
  };
  const server = createServer({ ...secured(), handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, (request, response) => {
    const name = /^\/agent\/([a-z0-9.-]{1,100})$/.exec(request.url ?? '')?.[1];
    const path =
      name === undefined ? undefined : Object.hasOwn(options.archives, name) ? options.archives[name] : undefined;
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (path === undefined || !reads || !existsSync(path)) {
      response.writeHead(reads ? 404 : 405, { 'content-type': 'text/plain' }).end(reads ? 'not found\n' : 'GET only\n');
      return;
    }
    response.writeHead(200, {
      'content-type': 'application/gzip',
      'content-length': statSync(path).size,
      'x-content-type-options': 'nosniff',
    });
    if (request.method === 'HEAD') response.end();
    // A reader that went away is no trouble of ours.
    else void pipeline(createReadStream(path), response).catch(() => response.destroy());
  });
  const unheard = options.serving.onChange(() => server.setSecureContext(secured()));
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress ?? '';
    const count = (open.get(from) ?? 0) + 1;
    open.set(from, count);
    socket.once('close', () => {
      const left = (open.get(from) ?? 1) - 1;
      if (left === 0) open.delete(from);
      else open.set(from, left);
    });
    if (count > MAX_OF_ONE_ADDRESS) socket.destroy();
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = TIMEOUT_MS;
  server.setTimeout(TIMEOUT_MS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        unheard();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** SHA-256 of a file, hex, read in pieces. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return hash.digest('hex');
}
