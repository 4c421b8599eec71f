// A small browser for --check: asks a site on this machine by its name, keeps cookies, follows redirects.
import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly url: string;
  readonly body: string;
}

export interface Browser {
  get(url: string): Promise<Answer>;
}

const TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;
const MAX_BODY_BYTES = 5 * 1024 * 1024;

/** address: where every name is reached, so that no DNS is needed. Cookies are kept by name for one site. */
export function createBrowser(address: string): Browser {
  const cookies = new Map<string, string>();
  const once = (url: URL) =>
    new Promise<{ status: number; location: string | undefined; body: string }>((resolve, reject) => {
      const headers: Record<string, string> = { host: url.host, 'user-agent': 'aegir-check' };
      if (cookies.size > 0) headers['cookie'] = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const asked = request(
        { host: address, port: url.port || 80, path: `${url.pathname}${url.search}`, headers, timeout: TIMEOUT_MS },
        (answer) => {
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
        },
      );
      asked.on('timeout', () => asked.destroy(new Error(`no answer after ${TIMEOUT_MS / 1000} s`)));
      asked.on('error', reject);
      asked.end();
    });
  return {
    get: async (start) => {
      let url = new URL(start);
      for (let hops = 0; ; hops++) {
        const answer = await once(url);
        if (answer.location === undefined || answer.status < 300 || answer.status > 399)
          return { status: answer.status, url: url.href, body: answer.body };
        if (hops === MAX_REDIRECTS) throw new Error(`${start} redirects more than ${MAX_REDIRECTS} times`);
        const next = new URL(answer.location, url);
        if (next.host !== url.host) throw new Error(`${url.href} redirects away, to ${next.href}`);
        url = next;
      }
    },
  };
}
