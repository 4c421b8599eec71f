// probe-site: asks the site for a page at the web server of its own host, as a visitor would by its name.
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../engine/engine.ts';
import { logEnd, markLog } from '../host/log-mark.ts';
import { siteLayout } from '../host/site-layout.ts';
import { oneLine } from '../redact.ts';
import { type ActionHandler, engineFor, type Tools } from './action.ts';

const MAX_REDIRECTS = 5;
const MAX_BODY = 1024 * 1024; // read so that the page is known to end, no further
const TIMEOUT_MS = 30_000;

interface Target {
  readonly address: string;
  /** By scheme; 0 where the web server has none. */
  readonly ports: { readonly 'http:': number; readonly 'https:': number };
}
interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  /** By a password that browsers know to ask for. */
  readonly asksPassword: boolean;
}

export function createProbeSite(): ActionHandler<'probeSite'> {
  return {
    kind: 'probeSite',
    label: () => 'probe-site',
    async run({ site, service, path, behindFront, asksPassword, user, password }, ctx, tools) {
      const target = await targetOf(service, ctx, tools);
      const names = [site.name, ...site.aliases];
      const errorLog = join(siteLayout(ctx.host.paths, site.id).logs, 'error.log');
      const mark = await markLog(errorLog);
      const login = user === '' ? undefined : `${user}:${password}`;
      let url = new URL(path, site.url);
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        const answer = await ask(target, url, behindFront ? 'http:' : schemeOf(url), login, ctx.signal);
        ctx.log('info', `${url.href} at ${target.address} answered ${answer.status}`);
        // As far as one gets without a password.
        if (asksPassword && answer.status === 401 && answer.asksPassword) return { changes: [] };
        if (answer.status < 200 || answer.status >= 400) {
          const lines = (await mark.since()) || (await logEnd(errorLog, 1));
          const why = oneLine(lines.trim().split('\n')[0] ?? '', 500);
          const log = why === '' ? `its error log ${errorLog} says nothing` : `its error log says: ${why}`;
          throw new AegirError('unavailable', `cannot open ${url.href}: it answered ${answer.status}; ${log}`, {
            retryable: answer.status >= 500,
          });
        }
        requireSpoken(answer, url, names, target);
        // The front leads on: by it, the site is asked as visitors do.
        if (behindFront) return { changes: [] };
        const next = sameSite(answer, url, site.url, names, target);
        if (next === undefined) return { changes: [] };
        url = next;
      }
      throw new AegirError(
        'failed_precondition',
        `cannot open ${site.url}${path}: it redirects to itself more than ${MAX_REDIRECTS} times; check the site's address in its settings`,
      );
    },
  };
}

async function targetOf(service: ServiceRef, ctx: ActionContext, tools: Tools): Promise<Target> {
  const { daemon: name } = engineFor(tools, service);
  const daemon = name === undefined ? undefined : await ctx.host.daemon(name);
  const address = daemon?.addresses[0];
  if (daemon !== undefined && address !== undefined && daemon.port > 0) {
    const any = address === '0.0.0.0' || address === '*' ? '127.0.0.1' : address === '::' ? '::1' : address;
    return { address: any, ports: { 'http:': daemon.port, 'https:': daemon.tlsPort ?? 0 } };
  }
  throw new AegirError(
    'failed_precondition',
    `cannot ask the site for a page: this server has no ${service.engine} that serves sites`,
  );
}

function schemeOf(url: URL): keyof Target['ports'] {
  return url.protocol === 'https:' ? 'https:' : 'http:';
}

/** Where a redirect leads when it stays on the site, by any of its names; a redirect elsewhere is an answer like another. */
function sameSite(
  answer: Answer,
  from: URL,
  origin: string,
  names: readonly string[],
  target: Target,
): URL | undefined {
  if (answer.status < 300 || answer.location === undefined || !URL.canParse(answer.location, from)) return undefined;
  const next = new URL(answer.location, from);
  if (next.origin === origin) return next;
  const port = Number(next.port) || (next.protocol === 'https:' ? 443 : 80);
  const ours = next.protocol === 'http:' || next.protocol === 'https:';
  return ours && names.includes(next.hostname) && port === target.ports[schemeOf(next)] ? next : undefined;
}

/** Throws when it leads visitors to HTTPS where the web server speaks HTTP: none of them gets a page. */
function requireSpoken(answer: Answer, from: URL, names: readonly string[], target: Target): void {
  if (answer.status < 300 || answer.location === undefined || !URL.canParse(answer.location, from)) return;
  const next = new URL(answer.location, from);
  if (next.protocol !== 'https:' || !names.includes(next.hostname)) return;
  if ((Number(next.port) || 443) !== target.ports['http:']) return;
  throw new AegirError(
    'failed_precondition',
    `cannot open ${from.href}: it leads to ${next.origin}, and that port speaks HTTP; check the site's address in its settings`,
  );
}

/** login: name and password, which go to this address alone. */
function ask(
  target: Target,
  url: URL,
  scheme: keyof Target['ports'],
  login: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const port = target.ports[scheme];
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const fail = (cause: Error) => {
    if (signal.aborted) return reject(signal.reason);
    const why = timeout.aborted
      ? `it did not answer within ${TIMEOUT_MS / 1000} s`
      : (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED'
        ? `nothing listens at ${target.address}:${port}; is the web server running?`
        : cause.message;
    reject(new AegirError('unavailable', `cannot open ${url.href}: ${why}`, { cause }));
  };
  const answered = (response: IncomingMessage) => {
    const answer = {
      status: response.statusCode ?? 0,
      location: response.headers.location,
      asksPassword: /^basic /i.test(response.headers['www-authenticate'] ?? ''),
    };
    let size = 0;
    response.on('error', fail);
    response.on('end', () => resolve(answer));
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY) return;
      resolve(answer);
      response.destroy();
    });
  };
  const options = {
    host: target.address,
    port,
    path: url.pathname + url.search,
    method: 'GET',
    headers: { host: url.host, 'user-agent': 'aegir-agent', accept: 'text/html,*/*' },
    signal: AbortSignal.any([signal, timeout]),
    ...(login === undefined ? {} : { auth: login }),
    agent: false,
  } as const;
  // Whether the site answers is asked here, not who vouches for it: until an authority has, nobody does.
  const call: ClientRequest =
    scheme === 'https:'
      ? secureRequest({ ...options, servername: url.hostname, rejectUnauthorized: false }, answered)
      : request(options, answered);
  call.on('error', fail);
  call.end();
  return promise;
}
