// Visitors who come one after another at a steady rate, however slow the site is, each with a connection of its own; beside
// them, where wanted, one who leaves a file every second. Counts what failed, and how long the longest answer took.
import { request } from 'node:http';

const PER_SECOND = 20;
/** Hosts share the machine's few processors: of that many requests one is a page of WordPress, the others files. */
const FILES_PER_PAGE = 10;
const FILE = '/wp-includes/css/dist/block-library/style.min.css';

export interface Counted {
  asked: number;
  readonly failures: { readonly at: number; readonly why: string }[];
  longestMs: number;
  /** Paths of files that the site said it took. */
  readonly left: string[];
}

export interface Visits {
  readonly counted: Counted;
  stop(): Promise<void>;
}

/** upload leaves a file of that name, answers its path, and throws when it was not taken. */
export function startVisits(address: string, site: string, upload?: (name: string) => Promise<string>): Visits {
  const counted: Counted = { asked: 0, failures: [], longestMs: 0, left: [] };
  const open = new Set<Promise<void>>();
  const visit = async (what: (count: number) => Promise<string>): Promise<void> => {
    counted.asked += 1;
    const at = performance.now();
    const why = await what(counted.asked);
    counted.longestMs = Math.max(counted.longestMs, performance.now() - at);
    if (why !== '') counted.failures.push({ at, why });
  };
  const look = (count: number) => {
    const path = count % FILES_PER_PAGE === 0 ? '/' : FILE;
    return new Promise<string>((resolve) => {
      const headers = { host: site };
      const sent = request({ host: address, path, headers, timeout: 30_000, agent: false }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode === 200 ? '' : String(answer.statusCode)));
        answer.on('error', (cause) => resolve(cause.message));
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer in 30 s')));
      sent.on('error', (cause) => resolve(cause.message));
      sent.end();
    });
  };
  const leave = async (count: number): Promise<string> => {
    try {
      counted.left.push((await upload?.(`left-${Date.now()}-${count}.png`)) ?? '');
      return '';
    } catch (thrown) {
      return `upload: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    }
  };
  const steady = (perSecond: number, what: (count: number) => Promise<string>) =>
    setInterval(() => {
      const one: Promise<void> = visit(what).finally(() => open.delete(one));
      open.add(one);
    }, 1000 / perSecond);
  const timers = [steady(PER_SECOND, look), ...(upload === undefined ? [] : [steady(1, leave)])];
  return {
    counted,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** What was counted, as the figures of a run; uploads where there were any. */
export function told(what: string, { asked, failures, longestMs, left }: Counted): void {
  const uploads = left.length === 0 ? '' : `, ${left.length} of them uploads that were taken`;
  const longest = `the longest took ${Math.round(longestMs)} ms`;
  console.info(`cluster, ${what}: ${failures.length} of ${asked} requests failed${uploads}; ${longest}`);
}
