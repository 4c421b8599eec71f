// Diagnosis: memory that programs may still use.
import { readFile } from 'node:fs/promises';
import type { Finding } from '../../shared/gen/aegir/v1/agent.ts';

const WARN = 0.1;
const ERROR = 0.03;

export async function checkMemory(): Promise<Finding> {
  return judgeMemory(await readFile('/proc/meminfo', 'utf8'));
}

/** From the text of /proc/meminfo. */
export function judgeMemory(meminfo: string): Finding {
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? Number.NaN);
  const total = kib('MemTotal');
  const available = kib('MemAvailable');
  if (!(total > 0) || Number.isNaN(available)) {
    return { subject: 'memory', level: 'warning', text: 'the kernel does not say how much is available' };
  }
  const share = available / total;
  const text = `${Math.round(available / 1024)} of ${Math.round(total / 1024)} MiB available`;
  if (share >= WARN) return { subject: 'memory', level: 'ok', text };
  return {
    subject: 'memory',
    level: share < ERROR ? 'error' : 'warning',
    text: `${text}; add memory or lower the limits of sites and databases`,
  };
}
