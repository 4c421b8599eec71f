// One HTTP request exactly as told: the path goes out as it is written, which no URL parser would let happen.
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface Ask {
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Over TLS, whatever the certificate. */
  readonly tls?: boolean;
  /** Address to come from. */
  readonly from?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Serial number of the certificate that was shown; '' without TLS. */
  readonly certificate: string;
}

export function ask(what: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { address, port, host, path, method = 'GET', headers = {}, body } = what;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = {
      host: address,
      localAddress: what.from,
      port,
      path,
      method,
      headers: { ...headers, ...length, host },
      agent: false,
    } as const;
    const secure = { ...options, servername: host.replace(/:\d+$/, ''), rejectUnauthorized: false };
    const answered = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      const socket = response.socket as Partial<TLSSocket>;
      const certificate = what.tls === true ? (socket.getPeerCertificate?.().serialNumber ?? '') : '';
      const end = (): void => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString('utf8'), certificate });
        sent.destroy();
      };
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      // A server that refuses a body may close while it is still being sent: what it answered counts.
      response.on('end', end);
      response.on('error', end);
    };
    const sent = what.tls === true ? secureRequest(secure, answered) : request(options, answered);
    sent.setTimeout(20_000);
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} in time`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
