// Who was denied, into the audit log: of each source the first time at once, then how often, once a minute. Whoever knocks
// day and night, from however many addresses, fills neither memory nor store: sources, and rows in a day, are bounded.
import { callerOf, createRateLimit } from '../session/rate-limit.ts';
import type { AuditRecord } from '../store/model.ts';

export interface Denial {
  /** address:port of a stranger, or, for who is known, the actor. */
  readonly peer?: string;
  readonly actor?: string;
  /** What was called. */
  readonly method: string;
  /** What it was about, where that is known: of the first time. */
  readonly subject?: string;
  /** An error code. */
  readonly outcome: string;
}

export interface Denials {
  note(denial: Denial): void;
  /** Writes what was counted; called every minute, and at the end. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface DenialOptions {
  append(record: Omit<AuditRecord, 'seq'>): Promise<void>;
  now(): number;
  onError(error: unknown): void;
}

const EVERY_MS = 60_000;
/** Told apart in one minute; the others are one. */
const MOST_SOURCES = 20;
/** Rows: so many at once, then about 1,400 in a day. */
const BURST = 200;
const PER_SECOND = 1 / 60;

interface Counted {
  readonly actor: string;
  readonly method: string;
  readonly outcome: string;
  count: number;
  since: number;
}

export function createDenials({ append, now, onError }: DenialOptions): Denials {
  const budget = createRateLimit({ burst: BURST, perSecond: PER_SECOND, now });
  const counted = new Map<string, Counted>();
  let writing: Promise<void> = Promise.resolve();

  const write = (entry: Counted, subject: string): void => {
    const { actor, method, outcome } = entry;
    const record = { time: now(), actor, method, subject, outcome };
    writing = writing.then(() => append(record)).catch(onError);
  };
  const keep = (key: string, entry: Omit<Counted, 'count' | 'since'>): Counted => {
    const there = counted.get(key);
    if (there !== undefined) return there;
    const made = { ...entry, count: 0, since: now() };
    counted.set(key, made);
    return made;
  };
  const flush = (): Promise<void> => {
    for (const [key, entry] of counted) {
      if (entry.count === 0) counted.delete(key);
      else if (budget.take('')) {
        const seconds = Math.max(1, Math.round((now() - entry.since) / 1000));
        write(entry, `${entry.count} more in ${seconds} s`);
        entry.count = 0;
        entry.since = now();
      }
    }
    return writing;
  };
  const timer = setInterval(() => void flush(), EVERY_MS);
  timer.unref();

  return {
    note({ peer = '', actor, method, subject = '', outcome }) {
      const who = (actor ?? `stranger at ${callerOf(peer) || 'an unknown address'}`).slice(0, 300);
      const what = method.slice(0, 100);
      const key = JSON.stringify([who, what, outcome]);
      const known = counted.get(key);
      if (known !== undefined) {
        known.count += 1;
        return;
      }
      if (counted.size < MOST_SOURCES && budget.take('')) {
        write(keep(key, { actor: who, method: what, outcome }), subject.slice(0, 300));
        return;
      }
      const others = keep('', { actor: 'strangers elsewhere', method: 'several', outcome: 'unauthenticated' });
      others.count += 1;
    },
    flush,
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}
