// Which children of Apache accept connections: a graceful reload is in force when new ones do and none of the old ones
// does any more. Apache tells nobody; but a child that is to leave closes its listening sockets first, and the kernel
// shows who holds which socket.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { listProcesses } from './proc.ts';

/** State of a socket in /proc/net/tcp that listens. */
const LISTENING = '0A';

/** Pids of the master's children that accept connections. */
export async function acceptingChildren(master: number): Promise<readonly number[]> {
  const children = (await listProcesses()).filter((facts) => facts.parent === master && facts.state !== 'Z');
  if (children.length === 0) return [];
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readTable(`/proc/${master}/net/${name}`)));
  const listening = new Set(tables.flatMap(listeningInodes));
  const held = await Promise.all(children.map(async ({ pid }) => ({ pid, sockets: await socketsOf(pid) })));
  return held.filter(({ sockets }) => sockets.some((inode) => listening.has(inode))).map(({ pid }) => pid);
}

/** Inodes of the sockets that listen, from /proc/net/tcp or tcp6. */
export function listeningInodes(table: string): readonly string[] {
  const rows = table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return rows.flatMap((fields) => (fields[3] === LISTENING && fields[9] !== undefined ? [fields[9]] : []));
}

/** Inodes of the sockets that a process holds open; none when it is gone or may not be looked at. */
async function socketsOf(pid: number): Promise<readonly string[]> {
  const directory = `/proc/${pid}/fd`;
  const names = await readdir(directory).catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')));
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/** Empty where the kernel does not speak that family. */
async function readTable(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
