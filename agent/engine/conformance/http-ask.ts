// One HTTP request exactly as told: the path goes out as it is written, which no URL parser would let happen.
import { request } from 'node:http';

export interface Ask {
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export function ask(what: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { address, port, host, path, method = 'GET', headers = {}, body } = what;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request(
      { host: address, port, path, method, headers: { ...headers, ...length, host }, agent: false, timeout: 20_000 },
      (response) => {
        const chunks: Buffer[] = [];
        const end = (): void => {
          const { statusCode = 0, headers: answered } = response;
          resolve({ status: statusCode, headers: answered, body: Buffer.concat(chunks).toString('utf8') });
          sent.destroy();
        };
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        // A server that refuses a body may close while it is still being sent: what it answered counts.
        response.on('end', end);
        response.on('error', end);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} in time`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
