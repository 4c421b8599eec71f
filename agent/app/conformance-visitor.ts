// A visitor for tests of apps: asks the stage's web server by the site's name, keeps cookies, follows nothing by itself.
import { request } from 'node:http';

export interface Page {
  readonly status: number;
  readonly location: string;
  readonly type: string;
  readonly body: string;
}

export interface Visitor {
  /** A path of the site, or a whole address of it. */
  get(pathOrUrl: string): Promise<Page>;
  /** The same, and on where it redirects to, at most ten times. */
  follow(pathOrUrl: string): Promise<Page>;
}

export function createVisitor(server: { readonly address: string; readonly port: number }, url: string): Visitor {
  const cookies = new Map<string, string>();
  const origin = new URL(url);
  const get = (pathOrUrl: string): Promise<Page> =>
    new Promise((resolve, reject) => {
      // Paths go as they stand: a test may want one that URL would tidy.
      const path = pathOrUrl.startsWith('/') ? pathOrUrl : pathOrUrl.slice(origin.origin.length);
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const headers = { host: origin.host, ...(cookie === '' ? {} : { cookie }) };
      const sent = request({ host: server.address, port: server.port, path, headers, timeout: 60_000 }, (answer) => {
        for (const line of answer.headers['set-cookie'] ?? []) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          cookies.set(name, value);
        }
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            location: answer.headers.location ?? '',
            type: answer.headers['content-type'] ?? '',
            body: Buffer.concat(parts).toString('utf8'),
          }),
        );
      });
      sent.on('timeout', () => sent.destroy(new Error(`${path} took too long`)));
      sent.on('error', reject);
      sent.end();
    });
  return {
    get,
    follow: async (pathOrUrl) => {
      let page = await get(pathOrUrl);
      for (let hop = 0; hop < 10 && page.status >= 300 && page.status < 400; hop++) {
        const next = new URL(page.location, origin);
        if (next.origin !== origin.origin) throw new Error(`the site redirects to another one: ${next.origin}`);
        page = await get(next.pathname + next.search);
      }
      return page;
    },
  };
}
