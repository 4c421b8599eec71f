// Diagnosis: how many programs want a processor, in comparison with how many there are.
import { readFile } from 'node:fs/promises';
import type { Finding } from '../../shared/finding.ts';

/** Programs for each processor, over fifteen minutes: a burst is no trouble. */
const WARN = 2;

export async function checkLoad(cpus: number): Promise<Finding> {
  return judgeLoad(await readFile('/proc/loadavg', 'utf8').catch(() => ''), cpus);
}

/** From the text of /proc/loadavg. */
export function judgeLoad(loadavg: string, cpus: number): Finding {
  const [subject, code] = ['load', 'load.average'];
  const load = Number(/^\S+ \S+ ([0-9.]+) /.exec(loadavg)?.[1] ?? Number.NaN);
  if (Number.isNaN(load)) return { subject, code, level: 'info', text: 'not known: the kernel does not say' };
  const text = `${load.toFixed(1)} over fifteen minutes, on ${cpus} processors`;
  if (load / Math.max(1, cpus) < WARN) return { subject, code, level: 'ok', text };
  return { subject, code, level: 'warning', text, advice: 'see which programs want them (top), or move sites away' };
}
