// What peers were refused: told in the log now and then, with counts, and at some rate not even answered any more. One
// that asks day and night fills neither the log nor the mesh of the server that it asks.
import { type Bucket, fullBucket, takeFrom } from './bucket.ts';

export interface RefusalOptions {
  readonly log: (level: 'warn', text: string) => void;
  now(): number;
}

export interface Refusals {
  /** Whether what this peer asks is worth an answer; each time that it is not is counted. */
  hears(peer: string): boolean;
  /** It asked for what it may not have. */
  note(peer: string, why: string): void;
}

/** Far above what mistakes, clocks and grants that ran out bring about. */
const BURST = 200;
const PER_SECOND = 10;
/** Between two lines in the log about one peer. */
const EVERY_MS = 60_000;
/** Those seen longest ago are forgotten. */
const MOST_PEERS = 1000;
const MOST_TEXT = 300;

interface Entry {
  bucket: Bucket;
  toldAt: number;
  untold: number;
  unheard: number;
}

export function createRefusals({ log, now }: RefusalOptions): Refusals {
  /** In order of last refusal. */
  const peers = new Map<string, Entry>();
  const entryOf = (peer: string): Entry => {
    const entry = peers.get(peer) ?? {
      bucket: fullBucket(PER_SECOND, BURST, now()),
      toldAt: Number.NEGATIVE_INFINITY,
      untold: 0,
      unheard: 0,
    };
    peers.delete(peer);
    peers.set(peer, entry);
    const [oldest] = peers.keys();
    if (peers.size > MOST_PEERS && oldest !== undefined) peers.delete(oldest);
    return entry;
  };
  const tell = (peer: string, entry: Entry, why: string): void => {
    if (now() - entry.toldAt < EVERY_MS) return;
    const before = entry.untold + entry.unheard - 1;
    const more = before > 0 ? ` (${before} more since the last line; ${entry.unheard} were not answered)` : '';
    log('warn', `mesh: refused ${peer} a transfer: ${why.slice(0, MOST_TEXT)}${more}`);
    Object.assign(entry, { toldAt: now(), untold: 0, unheard: 0 });
  };

  return {
    hears(peer) {
      const entry = peers.get(peer);
      if (entry === undefined || takeFrom(entry.bucket, 1, now()).waitMs === 0) return true;
      entry.unheard += 1;
      tell(peer, entry, 'it asks for too much that it may not have');
      return false;
    },
    note(peer, why) {
      const entry = entryOf(peer);
      entry.bucket = takeFrom(entry.bucket, 1, now()).bucket;
      entry.untold += 1;
      tell(peer, entry, why);
    },
  };
}
