// How many requests may wait in nginx at once, and how long. Each has two connections of its worker's, the visitor's and the
// one to where it waits; with none left nginx answers 500 to visitors of all its sites. A worker that a reload replaced ends
// those that still wait when worker_shutdown_timeout is over, without an answer.
import { readFile } from 'node:fs/promises';
import type { Room } from './host.ts';

/** nginx's own, where the configuration says nothing. */
const USUAL_CONNECTIONS = 512;
/** Of its connections, for those that wait: workers do not share evenly, and other sites go on. */
const SHARE = 0.6;
/** As nginx reads times (https://nginx.org/en/docs/syntax.html); a number alone is in seconds. */
const UNITS: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 },
  ...{ M: 30 * 86_400_000, y: 365 * 86_400_000, '': 1_000 },
};

/** conf: its main file. workers: pids of those that accept. */
export async function nginxRoom(conf: string, workers: readonly number[]): Promise<Room> {
  const [text, ...limits] = await Promise.all([
    read(conf),
    ...workers.slice(0, 1).map((pid) => read(`/proc/${pid}/limits`)),
  ]);
  return roomOf(text, limits[0] ?? '', workers.length);
}

/** limits: /proc/PID/limits of a worker; empty when it is gone. Pure. */
export function roomOf(conf: string, limits: string, workers: number): Room {
  const said = /^\s*worker_connections\s+(\d+)\s*;/m.exec(conf)?.[1];
  const files = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const connections = Math.min(said === undefined ? USUAL_CONNECTIONS : Number(said), Number(files ?? Infinity));
  const requests = Math.max(1, Math.floor((Math.max(1, workers) * connections * SHARE) / 2));
  const time = /^\s*worker_shutdown_timeout\s+["']?([^;"']+?)["']?\s*;/m.exec(conf)?.[1];
  const ends = time === undefined ? 0 : millisOf(time);
  return ends === 0 ? { requests } : { requests, ends: { afterMs: ends, by: 'worker_shutdown_timeout' } };
}

function millisOf(time: string): number {
  let sum = 0;
  for (const [, number, unit = ''] of time.matchAll(/(\d+)(ms|[smhdwMy])?/g))
    sum += Number(number) * (UNITS[unit] ?? 0);
  return sum;
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
