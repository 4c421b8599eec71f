// Visitors who read and write a site at a steady rate, and find it as real ones do: by asking its name server, and keeping
// each answer for as long as that says. Counts what failed, and what was written.
import { Resolver } from 'node:dns/promises';
import { request } from 'node:http';

export interface LoadOptions {
  readonly site: string;
  /** Address of the name server that carries the site's zone. */
  readonly nameServer: string;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  /** How many times rarer than usual pages and comments are; the other reads are files. */
  readonly rarer?: number;
  /** Of somebody who may write as often as he likes. */
  readonly cookies: string;
}

export interface Load {
  readonly asked: number;
  readonly failures: readonly string[];
  /** Comments that the site said it took. */
  readonly written: readonly string[];
  readonly longestMs: number;
  /** Addresses that the last answers of the name server gave. */
  readonly addresses: ReadonlySet<string>;
  /** Resolves when all that were on their way have their answer. */
  stop(): Promise<void>;
}

/** Hosts share the machine's few processors: of that many reads one is a page of WordPress, the others files. */
const READS_PER_PAGE = 20;
const PAGES_TIMED = 5;
const FILE = '/wp-includes/css/dist/block-library/style.min.css';
const TIMEOUT_MS = 90_000;
/** Each with a resolver of its own, so that old answers end at different moments. */
const CLIENTS = 8;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly location: string;
}

/**
 * How many times rarer pages and comments must be for PHP to keep up with them on one processor: 1 on a usual machine.
 * More than it can do would wait in longer and longer queues, whether the site moves or not.
 */
export async function rarerBy(
  address: string,
  { site, readsPerSecond, writesPerSecond, cookies }: LoadOptions,
): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < PAGES_TIMED; time++) {
    const began = performance.now();
    await ask(address, site, '/', cookies);
    times.push(performance.now() - began);
  }
  const median = times.toSorted((one, other) => one - other)[Math.floor(PAGES_TIMED / 2)] ?? 0;
  return Math.max(1, (median / 1000) * (readsPerSecond / READS_PER_PAGE + writesPerSecond));
}

export function startLoad(options: LoadOptions): Load {
  const { site, nameServer, readsPerSecond, writesPerSecond, cookies, rarer = 1 } = options;
  const state = { asked: 0, longestMs: 0 };
  const failures: string[] = [];
  const written: string[] = [];
  const clients = Array.from({ length: CLIENTS }, () => createClient(site, nameServer));
  const open = new Set<Promise<void>>();

  const count = async (what: string, good: (answer: Answer) => boolean, path: string, form?: URLSearchParams) => {
    state.asked += 1;
    const client = clients[state.asked % CLIENTS];
    const began = performance.now();
    let told = '';
    let address = '';
    try {
      address = (await client?.address()) ?? '';
      const answer = await ask(address, site, path, cookies, form);
      if (!good(answer)) told = `${answer.status} ${answer.location}`;
    } catch (thrown) {
      told = thrown instanceof Error ? thrown.message : String(thrown);
    }
    const millis = performance.now() - began;
    state.longestMs = Math.max(state.longestMs, millis);
    if (told !== '')
      failures.push(`${new Date().toISOString()} ${what} at ${address} after ${Math.round(millis)} ms: ${told}`);
    return told === '';
  };
  const read = async (): Promise<void> => {
    const page = state.asked % Math.round(READS_PER_PAGE * rarer) === 0;
    // A page that was cut short is none.
    const good = ({ status, body }: Answer) => status === 200 && body.length > 0 && (!page || body.includes('</html>'));
    await count('GET', good, page ? '/' : FILE);
  };
  const write = async (): Promise<void> => {
    const comment = `word-${Date.now()}-${state.asked}`;
    const form = new URLSearchParams({
      ...{ comment, author: 'Anne', email: `anne${state.asked}@example.org` },
      ...{ comment_post_ID: '1', comment_parent: '0' },
    });
    const good = ({ status, location }: Answer) => status === 302 && location.includes('#comment-');
    if (await count('POST', good, '/wp-comments-post.php', form)) written.push(comment);
  };
  const steady = (perSecond: number, visit: () => Promise<void>) =>
    setInterval(() => {
      const one: Promise<void> = visit().finally(() => open.delete(one));
      open.add(one);
    }, 1000 / perSecond);
  const timers = [steady(readsPerSecond, read), steady(writesPerSecond / rarer, write)];
  return {
    failures,
    written,
    get asked() {
      return state.asked;
    },
    get longestMs() {
      return state.longestMs;
    },
    get addresses() {
      return new Set(clients.map(({ last }) => last()));
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** Asks again when its answer has ended, and not before. */
function createClient(name: string, nameServer: string) {
  const resolver = new Resolver({ timeout: 2000, tries: 3 });
  resolver.setServers([nameServer]);
  let known = { address: '', until: 0 };
  let asking: Promise<string> | undefined;
  const look = async (): Promise<string> => {
    const [first] = await resolver.resolve4(name, { ttl: true });
    if (first === undefined) throw new Error(`${name} has no address`);
    known = { address: first.address, until: performance.now() + first.ttl * 1000 };
    return first.address;
  };
  return {
    last: () => known.address,
    async address(): Promise<string> {
      if (performance.now() < known.until) return known.address;
      asking ??= look().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}

/** A connection of its own, as a first-time visitor has. */
function ask(address: string, site: string, path: string, cookie: string, form?: URLSearchParams): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const sent = request(
      {
        ...{ host: address, path, method: form === undefined ? 'GET' : 'POST', agent: false, timeout: TIMEOUT_MS },
        headers: { host: site, cookie, ...(form === undefined ? {} : type) },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            ...{ status: answer.statusCode ?? 0, location: answer.headers.location ?? '' },
            body: Buffer.concat(parts).toString(),
          }),
        );
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    sent.on('error', reject);
    sent.end(form?.toString());
  });
}
