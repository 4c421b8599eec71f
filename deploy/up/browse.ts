// A small browser for --check: asks a site on this machine by its name, keeps cookies, follows redirects.
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  readonly url: string;
  readonly body: string;
}

export interface Browser {
  get(url: string): Promise<Answer>;
  /** As a Cookie header has them (RFC 6265 section 4.2). */
  cookies(): string;
}

const TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;
const MAX_BODY_BYTES = 5 * 1024 * 1024;

export interface BrowserOptions {
  /** Authorities, PEM; without them any certificate will do, as to somebody who clicks the warning away. */
  readonly trust?: string;
  /** Names of the site, which redirects may lead to at any port and over HTTPS; otherwise they stay where they are. */
  readonly names?: readonly string[];
}

/** address: where every name is reached, so that no DNS is needed. Cookies are kept by name for one site. */
export function createBrowser(address: string, { trust, names = [] }: BrowserOptions = {}): Browser {
  const cookies = new Map<string, string>();
  const cookieHeader = () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const once = (url: URL) =>
    new Promise<{ status: number; location: string | undefined; body: string }>((resolve, reject) => {
      const headers: Record<string, string> = { host: url.host, 'user-agent': 'aegir-check' };
      if (cookies.size > 0) headers['cookie'] = cookieHeader();
      const secure = url.protocol === 'https:';
      const port = url.port || (secure ? 443 : 80);
      const what = { host: address, port, path: `${url.pathname}${url.search}`, headers, timeout: TIMEOUT_MS };
      const answered = (answer: IncomingMessage) => {
        for (const cookie of answer.headers['set-cookie'] ?? []) {
          const [pair = ''] = cookie.split(';');
          const cut = pair.indexOf('=');
          if (/max-age=0|expires=Thu, 01[ -]Jan[ -]1970/i.test(cookie)) cookies.delete(pair.slice(0, cut));
          else cookies.set(pair.slice(0, cut), pair.slice(cut + 1));
        }
        const parts: Buffer[] = [];
        let size = 0;
        answer.on('data', (part: Buffer) => {
          size += part.length;
          if (size > MAX_BODY_BYTES) asked.destroy(new Error(`the page is longer than ${MAX_BODY_BYTES} bytes`));
          parts.push(part);
        });
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            location: answer.headers.location,
            body: Buffer.concat(parts).toString('utf8'),
          }),
        );
        answer.on('error', reject);
      };
      const tls = { ...what, servername: url.hostname, rejectUnauthorized: trust !== undefined, ca: trust };
      const asked = secure ? secureRequest(tls, answered) : request(what, answered);
      asked.on('timeout', () => asked.destroy(new Error(`no answer after ${TIMEOUT_MS / 1000} s`)));
      asked.on('error', reject);
      asked.end();
    });
  return {
    cookies: cookieHeader,
    get: async (start) => {
      let url = new URL(start);
      for (let hops = 0; ; hops++) {
        const answer = await once(url);
        if (answer.location === undefined || answer.status < 300 || answer.status > 399)
          return { status: answer.status, url: url.href, body: answer.body };
        if (hops === MAX_REDIRECTS) throw new Error(`${start} redirects more than ${MAX_REDIRECTS} times`);
        const next = new URL(answer.location, url);
        if (next.host !== url.host && !names.includes(next.hostname))
          throw new Error(`${url.href} redirects away, to ${next.href}`);
        url = next;
      }
    },
  };
}
