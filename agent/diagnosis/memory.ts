// Diagnosis: memory that programs may still use, swap, how much they wait for it, and whether the kernel had to kill some.
import { readFile } from 'node:fs/promises';
import type { Finding } from '../../shared/finding.ts';

const WARN = 0.1;
const ERROR = 0.03;
/** Of swap that is used. */
const SWAP_WARN = 0.8;
/** Per cent of the last five minutes in which some program waited for memory. */
const PRESSURE_WARN = 10;

export async function checkMemory(): Promise<readonly Finding[]> {
  const [meminfo, vmstat, pressure] = await Promise.all(
    ['/proc/meminfo', '/proc/vmstat', '/proc/pressure/memory'].map(textOf),
  );
  return [
    judgeMemory(meminfo ?? ''),
    ...judgeSwap(meminfo ?? ''),
    ...judgePressure(pressure ?? ''),
    ...judgeKills(vmstat ?? ''),
  ];
}

/** '' where the kernel has no such file, as for pressure when it was built without. */
async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** From the text of /proc/meminfo. */
export function judgeMemory(meminfo: string): Finding {
  const [subject, code] = ['memory', 'memory.available'];
  const [total, available] = [kibOf(meminfo, 'MemTotal'), kibOf(meminfo, 'MemAvailable')];
  if (!(total > 0) || Number.isNaN(available)) {
    return { subject, code, level: 'warning', text: 'the kernel does not say how much is available' };
  }
  const share = available / total;
  const text = `${Math.round(available / 1024)} of ${Math.round(total / 1024)} MiB available`;
  if (share >= WARN) return { subject, code, level: 'ok', text };
  const advice = 'add memory or lower the limits of sites and databases';
  return { subject, code, level: share < ERROR ? 'error' : 'warning', text, advice };
}

/** From the text of /proc/meminfo; nothing where there is no swap. */
export function judgeSwap(meminfo: string): readonly Finding[] {
  const [subject, code] = ['swap', 'memory.swap'];
  const [total, free] = [kibOf(meminfo, 'SwapTotal'), kibOf(meminfo, 'SwapFree')];
  if (!(total > 0) || Number.isNaN(free)) return [];
  const text = `${Math.round((total - free) / 1024)} of ${Math.round(total / 1024)} MiB used`;
  if ((total - free) / total < SWAP_WARN) return [{ subject, code, level: 'ok', text }];
  return [
    { subject, code, level: 'warning', text, advice: 'add memory: what is over goes to disk, and then is killed' },
  ];
}

/** From the text of /proc/pressure/memory. */
export function judgePressure(pressure: string): readonly Finding[] {
  const [subject, code] = ['memory', 'memory.pressure'];
  const share = Number(/^some .*\bavg300=([0-9.]+)/m.exec(pressure)?.[1] ?? Number.NaN);
  if (Number.isNaN(share) || share < PRESSURE_WARN) return [];
  const text = `programs waited for memory during ${Math.round(share)} % of the last five minutes`;
  return [{ subject, code, level: 'warning', text, advice: 'add memory or lower the limits of sites and databases' }];
}

/** From the text of /proc/vmstat: since the host started. */
export function judgeKills(vmstat: string): readonly Finding[] {
  const [subject, code] = ['memory', 'memory.killed'];
  const kills = Number(/^oom_kill (\d+)$/m.exec(vmstat)?.[1] ?? 0);
  if (kills === 0) return [];
  const text = `the kernel killed ${kills} ${kills === 1 ? 'program' : 'programs'} for want of memory since the host started`;
  return [{ subject, code, level: 'warning', text, advice: 'see journalctl -k for which, and lower their limits' }];
}

function kibOf(meminfo: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? Number.NaN);
}
