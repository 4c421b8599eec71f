// The Admin API over gRPC: decodes, identifies the caller, checks the right, calls, and turns errors into statuses.
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Metadata, type Server } from '@grpc/grpc-js';
import { AegirError, ERROR_CODES, toAegirError } from '../../shared/error.ts';
import { audit } from '../admin/audit.ts';
import { authorise } from '../admin/authorise.ts';
import type { AdminDeps, Caller } from '../admin/deps.ts';
import { countedDefinition, requireCounted } from './counts.ts';
import { tokenOf } from './door.ts';
import { ADMIN_SERVICES, createMethods, type Method } from './methods.ts';
import { inWords, mayCall, mayPlan, RIGHTS, requireRole } from './rights.ts';
import { createStreams, type Streams } from './streams.ts';

export interface ApiLog {
  error(fields: Record<string, unknown>, text: string): void;
}

// biome-ignore lint/suspicious/noExplicitAny: messages are typed by the definitions that decode them
type Unary = ServerUnaryCall<any, any>;
// biome-ignore lint/suspicious/noExplicitAny: as above
type Stream = ServerWritableStream<any, any>;

const MAX_DETAILS = 1000;

/** Adds every admin service to a server; refuses to start when a method has no implementation or no right. */
export function addAdminServices(server: Server, deps: AdminDeps, log: ApiLog): void {
  const methods = createMethods(deps);
  const streams = createStreams();
  for (const service of ADMIN_SERVICES) {
    const implementation: UntypedServiceImplementation = {};
    for (const [name, definition] of Object.entries(service)) {
      const method = methods.get(definition.path);
      if (method === undefined || RIGHTS[definition.path] === undefined) {
        throw new AegirError('internal', `cannot serve ${definition.path}: it has no implementation or no right`);
      }
      implementation[name] = definition.responseStream
        ? (call: Stream) => void serveStream(deps, log, streams, method, call)
        : (call: Unary, answer: sendUnaryData<unknown>) => void serveUnary(deps, log, method, call, answer);
    }
    const counted = Object.entries(service).map(([name, definition]) => [name, countedDefinition(definition)] as const);
    server.addService(Object.fromEntries(counted), implementation);
  }
}

/** plans: the request asks what would be done, and nothing else. */
async function identify(
  deps: AdminDeps,
  path: string,
  metadata: Metadata,
  request: Record<string, unknown>,
  plans = false,
): Promise<Caller> {
  const caller = await authorise(deps, tokenOf(metadata));
  if (mayCall(caller.role, path) || (plans && mayPlan(caller.role, path))) return caller;
  deps.denied({ actor: caller.actor, method: path, subject: subjectOf(request), outcome: 'permission_denied' });
  requireRole(caller, RIGHTS[path], inWords(path));
  return caller;
}

async function serveUnary(
  deps: AdminDeps,
  log: ApiLog,
  method: Method,
  call: Unary,
  answer: sendUnaryData<unknown>,
): Promise<void> {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  try {
    requireCounted(call.request);
    const plans = call.request?.options?.planOnly === true;
    const caller = { ...(await identify(deps, method.path, call.metadata, call.request, plans)), gone: gone.signal };
    const reads = RIGHTS[method.path] === 'viewer' || method.path.endsWith('/ListTokens');
    try {
      const response = await method.unary?.(caller, call.request);
      if (!reads) await audit(deps, caller, method.path, subjectOf(call.request), plans ? 'planned' : 'ok');
      answer(null, response);
    } catch (thrown) {
      const error = toAegirError(thrown, 'answer the call');
      if (!reads) await audit(deps, caller, method.path, subjectOf(call.request), error.code);
      throw error;
    }
  } catch (thrown) {
    answer(status(log, method.path, thrown));
  }
}

async function serveStream(
  deps: AdminDeps,
  log: ApiLog,
  streams: Streams,
  method: Method,
  call: Stream,
): Promise<void> {
  const end = new AbortController();
  call.on('cancelled', () => end.abort());
  let close: (() => void) | undefined;
  try {
    requireCounted(call.request);
    const caller = await identify(deps, method.path, call.metadata, call.request);
    close = streams.open(caller.actor);
    // What only some may see is noted when it begins: it may never end.
    const noted = RIGHTS[method.path] !== 'viewer';
    if (noted) await audit(deps, caller, method.path, subjectOf(call.request), 'ok');
    for await (const message of method.stream?.(caller, call.request, end.signal) ?? []) {
      if (end.signal.aborted) return;
      // A watch may last for days; its token may end meanwhile.
      await identify(deps, method.path, call.metadata, call.request);
      if (!call.write(message)) await drained(call, end.signal);
    }
    call.end();
  } catch (thrown) {
    if (!end.signal.aborted) call.emit('error', status(log, method.path, thrown));
  } finally {
    close?.();
  }
}

/** A reader that is slow must not make us buffer without end. */
function drained(call: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** What a request is about, for the audit log: the first field that names something. */
function subjectOf(request: Record<string, unknown>): string {
  for (const field of [
    'site',
    'zone',
    // Of what is made, rather than where.
    'name',
    'service',
    'server',
    'platform',
    'client',
    'backup',
    'taskId',
    'tokenId',
    'kind',
  ]) {
    const value = request[field];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
}

/** Causes and surprises go to the log; the wire gets code and message. */
function status(log: ApiLog, path: string, thrown: unknown) {
  const error = toAegirError(thrown, 'answer the call');
  const surprise = error.code === 'internal' || error.code === 'unknown';
  if (surprise) log.error({ path, err: thrown }, error.message);
  const details =
    surprise && !(thrown instanceof AegirError)
      ? 'cannot answer the call: an internal error; see the log of the master'
      : error.message;
  const told = bounded(details);
  return { code: ERROR_CODES[error.code], details: told, message: told, name: 'Error', metadata: new Metadata() };
}

/**
 * It travels as an HTTP/2 trailer, percent-encoded: one too long would end the connection with all its calls. The middle
 * goes, since the end says what to do.
 */
function bounded(details: string): string {
  if (details.length <= MAX_DETAILS) return details.toWellFormed();
  const half = MAX_DETAILS / 2;
  return `${details.slice(0, half)}…${details.slice(-half)}`.toWellFormed();
}
