// Visitors of a site: so many requests a second whether answers come or not, each noted with what became of it.
import { createHash, randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { Daemon } from '../host/host.ts';
import { NAME } from './testing-scene.ts';

const EVERY_MS = 20;
/** Bytes of a form; some are more than any buffer on the way. */
const BODIES = [10, 5_000, 300_000];

export interface Seen {
  readonly what: string;
  readonly outcome: string;
  readonly millis: number;
  /** ms since the visitors began. */
  readonly at: number;
}

export interface Visitors {
  /** Ends once all that was asked for is answered. */
  stop(): Promise<readonly Seen[]>;
  /** Id and SHA-256 of every form that was sent. */
  readonly posted: ReadonlyMap<string, string>;
}

export function startVisitors({ addresses, port, tlsPort }: Daemon, tls: boolean): Visitors {
  const posted = new Map<string, string>();
  const seen: Seen[] = [];
  const open = new Set<Promise<void>>();
  const kept = tls
    ? new SecureAgent({ keepAlive: true, maxSockets: 6 })
    : new Agent({ keepAlive: true, maxSockets: 6 });
  const used = new WeakSet<object>();
  const start = performance.now();
  let count = 0;

  const once = (path: string, body: Buffer | undefined, keep: boolean): Promise<string> =>
    new Promise((resolve) => {
      const options = {
        host: addresses[0],
        port: tls ? tlsPort : port,
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: { host: NAME, 'x-forwarded-for': '198.51.100.1', 'x-forwarded-proto': 'gopher' },
        agent: keep ? kept : false,
      };
      const answered = (answer: IncomingMessage) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', (error) => resolve(`broken: ${error.message}`));
        answer.on('end', () => resolve(outcomeOf(answer, Buffer.concat(chunks).toString(), tls)));
      };
      const secure = { ...options, servername: NAME, rejectUnauthorized: false };
      const sent = tls ? secureRequest(secure, answered) : request(options, answered);
      // Node's own mark is missing when a request has waited for the connection.
      let again = false;
      sent.once('socket', (socket) => {
        again = used.has(socket);
        used.add(socket);
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // As browsers do: a connection that was kept may end just as it is used again.
        if (again && body === undefined) return resolve(once(path, body, keep));
        resolve(`failed: ${error.code ?? error.message}`);
      });
      sent.end(body);
    });

  const visit = async (n: number): Promise<void> => {
    const begun = performance.now();
    const isForm = n % 5 === 0;
    const keep = n % 5 === 2;
    const body = isForm ? randomBytes(BODIES[(n / 5) % BODIES.length] ?? 10) : undefined;
    if (body !== undefined) posted.set(`p${n}`, createHash('sha256').update(body).digest('hex'));
    const outcome = await once(isForm ? `/admin/post.php?id=p${n}` : `/any?n=${n}`, body, keep);
    seen.push({
      what: isForm ? 'form' : keep ? 'kept' : 'page',
      outcome,
      millis: performance.now() - begun,
      at: begun - start,
    });
  };

  const timer = setInterval(() => {
    const one = visit(count++).finally(() => open.delete(one));
    open.add(one);
  }, EVERY_MS);
  return {
    posted,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      kept.destroy();
      return seen;
    },
  };
}

/** Whoever answers must know who asks and how he came. */
function outcomeOf({ statusCode, headers }: IncomingMessage, body: string, tls: boolean): string {
  if (statusCode !== 200) return `status ${statusCode}, retry after ${headers['retry-after']}: ${body.slice(0, 200)}`;
  const { address, https } = JSON.parse(body) as { address: string; https: string };
  if (!address.startsWith('127.')) return `seen as ${address}`;
  return https === (tls ? 'on' : '') ? 'good' : `HTTPS seen as "${https}"`;
}
