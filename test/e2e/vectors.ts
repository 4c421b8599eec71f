// Argument vectors of programs as they come and go: what any user of this machine can read of them.
import { readdirSync, readFileSync } from 'node:fs';

const EVERY_MS = 5;
/** A program that was looked at so often starts no other one in its place. */
const LOOKS = 40;

export interface Vectors {
  readonly seen: ReadonlySet<string>;
  stop(): void;
}

export function watchVectors(): Vectors {
  const seen = new Set<string>();
  let looks = new Map<string, number>();
  const look = (): void => {
    const now = new Map<string, number>();
    for (const pid of readdirSync('/proc')) {
      if (!/^[0-9]+$/.test(pid)) continue;
      const times = looks.get(pid) ?? 0;
      now.set(pid, times + 1);
      if (times >= LOOKS) continue;
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        // It ended while we looked.
      }
    }
    looks = now;
  };
  const timer = setInterval(look, EVERY_MS);
  return { seen, stop: () => clearInterval(timer) };
}
