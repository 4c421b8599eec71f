// How much one caller may ask for: a bucket per caller that fills with time, in bounded memory.

export interface RateLimitOptions {
  /** What a caller may use at once. */
  readonly burst: number;
  /** What it gets back in a second. */
  readonly perSecond: number;
  /** Callers remembered; over it, those unseen longest are forgotten. Default 10 000. */
  readonly maxCallers?: number;
  readonly now: () => number;
}

export interface RateLimit {
  /** False, and nothing is used, when the caller has less than cost left. */
  take(caller: string, cost?: number): boolean;
}

export function createRateLimit(options: RateLimitOptions): RateLimit {
  const { burst, perSecond, maxCallers = 10_000, now } = options;
  /** In order of last use. */
  const buckets = new Map<string, { left: number; at: number }>();
  return {
    take(caller, cost = 1) {
      const at = now();
      const before = buckets.get(caller) ?? { left: burst, at };
      const refilled = Math.min(burst, before.left + (Math.max(0, at - before.at) / 1000) * perSecond);
      const allowed = refilled >= cost;
      buckets.delete(caller);
      buckets.set(caller, { left: allowed ? refilled - cost : refilled, at });
      if (buckets.size > maxCallers) {
        const [oldest] = buckets.keys();
        if (oldest !== undefined) buckets.delete(oldest);
      }
      return allowed;
    },
  };
}

/** Who a gRPC peer ("address:port") is to a rate limit: an IPv4 address, or the /64 that one IPv6 host owns. */
export function callerOf(peer: string): string {
  const address = peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? front : [...front, ...Array(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
