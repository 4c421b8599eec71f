// Processor time of processes, from /proc: what they used themselves and what their ended children did.
import { readFileSync } from 'node:fs';

const TICK_MS = 10; // USER_HZ is 100 on every Linux that we know

/** ms; children counts those that ended, too. */
export function cpuOf(pid: number | 'self', what: 'own' | 'children' | 'both'): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, childUser, childSystem] = [11, 12, 13, 14].map((at) => Number(fields[at])) as [
    number,
    number,
    number,
    number,
  ];
  const own = user + system;
  const children = childUser + childSystem;
  return TICK_MS * (what === 'own' ? own : what === 'children' ? children : own + children);
}
