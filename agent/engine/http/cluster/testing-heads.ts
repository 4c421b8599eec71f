// Web servers for tests of a front: each says who it is and what it was told, and can be killed, hung and brought back.
// Visitors that ask all the time over connections that they keep, and count what failed.
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { STATUS_NAME } from '../config/status.ts';

export interface TestHead {
  readonly name: string;
  readonly port: number;
  /** Requests for sites that it answered. */
  answered: number;
  /** What pages wait for, ms. */
  slowMs: number;
  /** No request is answered before. */
  holds: Promise<void> | undefined;
  /** Connections are cut and refused from now on. */
  kill(): Promise<void>;
  revive(): Promise<void>;
  /** Takes connections and says nothing. */
  hang(is: boolean): void;
}

export async function createHead(
  name: string,
  address: string,
  answer?: (response: ServerResponse) => boolean,
): Promise<TestHead> {
  const sockets = new Set<Socket>();
  let hung = false;
  let server: Server | undefined;
  const respond = (incoming: IncomingMessage, response: ServerResponse): void => {
    if (hung) return;
    if (incoming.headers.host === STATUS_NAME) {
      response.end('0'.repeat(64));
      return;
    }
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', async () => {
      await head.holds;
      setTimeout(() => {
        if (answer?.(response) === true) return;
        head.answered += 1;
        const { method, url, headers } = incoming;
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({ head: name, method, url, headers, body: Buffer.concat(chunks).toString('utf8') }),
        );
      }, head.slowMs);
    });
  };
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server = createServer(respond);
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
      });
      server.on('error', reject);
      server.listen(port, address, () => {
        const at = server?.address();
        resolve(typeof at === 'object' && at !== null ? at.port : 0);
      });
    });
  const head: TestHead = {
    name,
    port: await listen(0),
    answered: 0,
    slowMs: 0,
    holds: undefined,
    async kill() {
      const closed = new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
      for (const socket of sockets) socket.destroy();
      await closed;
      server = undefined;
    },
    async revive() {
      await listen(head.port);
    },
    hang: (is) => {
      hung = is;
    },
  };
  return head;
}

export interface Load {
  readonly done: number;
  readonly failures: readonly string[];
  /** Resolves when all that is asked by now is answered. */
  settled(): Promise<void>;
  /** Resolves when all that was asked is answered. */
  stop(): Promise<void>;
}

/** visitors at once, each with a connection of its own that it keeps; what is asked again on it was sent once. */
export function startLoad(
  address: string,
  port: number,
  host: string,
  visitors: number,
  { path = '/page', posts = 0.2 } = {},
): Load {
  let stopping = false;
  const load = { done: 0, failures: [] as string[] };
  const asked = new Set<Promise<void>>();
  const visit = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopping) {
      const method = Math.random() < posts ? 'POST' : 'GET';
      const answered = new Promise<void>((resolve) => {
        const sent = request(
          { host: address, port, path, method, agent, headers: { host }, timeout: 20_000 },
          (response) => {
            response.resume();
            response.on('end', () => {
              load.done += 1;
              if (response.statusCode !== 200) load.failures.push(`${method} ${response.statusCode}`);
              resolve();
            });
            response.on('error', (cause) => {
              load.failures.push(`${method} ${cause.message}`);
              resolve();
            });
          },
        );
        sent.on('timeout', () => sent.destroy(new Error('no answer in 20 s')));
        sent.on('error', (cause) => {
          load.failures.push(`${method} ${cause.message}${sent.reusedSocket ? ' (kept connection)' : ''}`);
          resolve();
        });
        sent.end(method === 'POST' ? 'a=b' : undefined);
      });
      asked.add(answered);
      await answered;
      asked.delete(answered);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    agent.destroy();
  };
  const all = Promise.all(Array.from({ length: visitors }, visit));
  return Object.assign(load, {
    async settled() {
      await Promise.all(asked);
    },
    async stop() {
      stopping = true;
      await all;
    },
  });
}
