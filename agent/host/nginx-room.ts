// How many requests may wait in nginx at once. Each has two connections of its worker's, the visitor's and the one to where
// it waits; with none left nginx answers 500 to visitors of all its sites.
import { readFile } from 'node:fs/promises';

/** nginx's own, where the configuration says nothing. */
const USUAL_CONNECTIONS = 512;
/** Of its connections, for those that wait: workers do not share evenly, and other sites go on. */
const SHARE = 0.6;

/** conf: its main file. workers: pids of those that accept. */
export async function nginxRoom(conf: string, workers: readonly number[]): Promise<number> {
  const [text, ...limits] = await Promise.all([
    read(conf),
    ...workers.slice(0, 1).map((pid) => read(`/proc/${pid}/limits`)),
  ]);
  return roomOf(text, limits[0] ?? '', workers.length);
}

/** limits: /proc/PID/limits of a worker; empty when it is gone. Pure. */
export function roomOf(conf: string, limits: string, workers: number): number {
  const said = /^\s*worker_connections\s+(\d+)\s*;/m.exec(conf)?.[1];
  const files = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const connections = Math.min(said === undefined ? USUAL_CONNECTIONS : Number(said), Number(files ?? Infinity));
  return Math.max(1, Math.floor((Math.max(1, workers) * connections * SHARE) / 2));
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
