// What a webhook provider for tests takes from the wire: as external-dns' own server reads it (encoding/json into
// endpoint.Endpoint and plan.Changes), and fields besides, which that would lose without a word, are refused.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Changes, Endpoint } from './endpoint.ts';
import { MEDIA_TYPE } from './provider.ts';

/** As webhook.yaml and endpoint.go have them. */
const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  dnsName: isText,
  targets: (value) => Array.isArray(value) && value.every(isText),
  recordType: isText,
  setIdentifier: isText,
  recordTTL: (value) => Number.isSafeInteger(value),
  labels: (value) => isObject(value) && Object.values(value).every(isText),
  providerSpecific: (value) =>
    Array.isArray(value) &&
    value.every(
      (each) => isObject(each) && Object.entries(each).every(([key, of]) => /^(?:name|value)$/.test(key) && isText(of)),
    ),
};
const LISTS = ['create', 'updateOld', 'updateNew', 'delete'] as const;
/** The limit of external-dns' own server. */
const MAX_BYTES = 32 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  /** Written as JSON; a text as it is. */
  readonly body?: unknown;
}

export interface WireHandlers {
  token(): string;
  mediaType(): string;
  silent(): boolean;
  filter(): unknown;
  records(): readonly Endpoint[];
  /** These throw for what the provider cannot do: 500, as all of external-dns' faults of a provider. */
  adjust(endpoints: readonly Endpoint[]): readonly Endpoint[];
  apply(changes: Changes): void;
}

export function createWireServer(handlers: WireHandlers): Server {
  return createServer(async (request, response) => {
    if (handlers.silent()) return;
    const { status, body } = await answerTo(request, handlers);
    if (body === undefined) {
      response.writeHead(status).end();
      return;
    }
    const ours = status === 200 && typeof body !== 'string';
    response.writeHead(status, { 'content-type': ours ? handlers.mediaType() : 'text/plain', vary: 'Content-Type' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

async function answerTo(request: IncomingMessage, handlers: WireHandlers): Promise<Answer> {
  // Probes come from elsewhere and have no token.
  if (request.url === '/healthz') return request.method === 'GET' ? { status: 200, body: 'ok' } : { status: 405 };
  if (request.headers.authorization !== `Bearer ${handlers.token()}`) return { status: 401 };
  const what = `${request.method} ${request.url}`;
  const { accept, 'content-type': type } = request.headers;
  if (what !== 'POST /records' && accept !== MEDIA_TYPE) return { status: 406, body: `accept ${accept}` };
  if (request.method === 'POST' && type !== MEDIA_TYPE) return { status: 415, body: `content type ${type}` };
  let body: unknown;
  try {
    body = request.method === 'POST' ? await bodyOf(request) : undefined;
    if (what === 'POST /adjustendpoints') decodeEndpoints(body, 'endpoints');
    if (what === 'POST /records') decodeChanges(body);
  } catch (thrown) {
    const { message } = thrown as Error;
    return { status: message === 'too large' ? 413 : 400, body: message };
  }
  try {
    switch (what) {
      case 'GET /':
        return { status: 200, body: handlers.filter() };
      case 'GET /records':
        return { status: 200, body: written(handlers.records()) };
      case 'POST /adjustendpoints':
        return { status: 200, body: written(handlers.adjust(decodeEndpoints(body, 'endpoints'))) };
      case 'POST /records':
        handlers.apply(decodeChanges(body));
        return { status: 204 };
      default:
        return { status: 404, body: `no ${what}` };
    }
  } catch (thrown) {
    return { status: 500, body: (thrown as Error).message };
  }
}

/** Of no endpoints Go writes null; and it leaves out what is empty (omitempty). */
function written(endpoints: readonly Endpoint[]): unknown {
  if (endpoints.length === 0) return null;
  const isEmpty = (value: unknown) =>
    value === '' || value === 0 || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  return endpoints.map((each) => Object.fromEntries(Object.entries(each).filter(([, value]) => !isEmpty(value))));
}

function decodeEndpoints(body: unknown, what: string): readonly Endpoint[] {
  if (!Array.isArray(body)) throw new Error(`${what} are no list`);
  for (const each of body as readonly unknown[]) {
    if (!isObject(each)) throw new Error(`${what} have something that is no endpoint`);
    for (const [field, value] of Object.entries(each)) {
      if (FIELDS[field]?.(value) !== true) throw new Error(`${what} have ${field} ${JSON.stringify(value)}`);
    }
  }
  return (body as readonly Endpoint[]).map((each) => ({ ...each, targets: each.targets ?? [] }));
}

function decodeChanges(body: unknown): Changes {
  if (!isObject(body)) throw new Error('changes are no object');
  const other = Object.keys(body).find((key) => !LISTS.some((list) => list === key));
  if (other !== undefined) throw new Error(`changes have ${other}`);
  const lists = LISTS.map((list) => [list, decodeEndpoints(body[list] ?? [], list)] as const);
  return Object.fromEntries(lists) as unknown as Changes;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_BYTES) throw new Error('too large');
    chunks.push(chunk as Buffer);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
