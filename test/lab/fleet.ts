// A master, web servers and a database server as lab hosts with real systemd, installed as the README tells: the master by
// `aegir-master install`, the others by the line that it prints. No host has Node.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

// Beside a lab that a person may have up: hosts, bridge and network of our own. Read when lab.ts runs its scripts.
process.env['AEGIR_LAB_HOSTS'] = '/var/tmp/aegir-lab/test-hosts';
process.env['AEGIR_LAB_BRIDGE'] = 'aegirt0';
process.env['AEGIR_LAB_GATEWAY'] = '10.98.0.1';

import {
  buildBase,
  execIn,
  type LabHost,
  mustIn,
  type Ran,
  removeHost,
  startHost,
  startNetwork,
  stopNetwork,
} from '../../deploy/lab/lab.ts';
import { binaries } from './binaries.ts';

export const MASTER: LabHost = { name: 't-master', address: '10.98.0.10' };
export const WEB1: LabHost = { name: 't-web1', address: '10.98.0.11' };
export const DB1: LabHost = { name: 't-db1', address: '10.98.0.21' };
const HOSTS = [MASTER, WEB1, DB1];

/** Runs the command line on the master's host. */
export async function aegir(...args: string[]): Promise<Ran> {
  return execIn(MASTER.name, ['aegir', ...args]);
}

/** Its standard output; throws when it fails. */
export async function mustAegir(...args: string[]): Promise<string> {
  return mustIn(MASTER.name, ['aegir', ...args]);
}

export async function aegirJson<T>(...args: string[]): Promise<T> {
  return JSON.parse(await mustAegir(...args, '--output', 'json')) as T;
}

/** Everything up to a fresh master without servers. */
export async function startFleet(): Promise<void> {
  const archives = await binaries();
  const base = await buildBase();
  await stopFleet();
  await startNetwork();
  const table = ['127.0.0.1 localhost', ...HOSTS.map(({ name, address }) => `${address} ${name}`)].join('\n');
  await Promise.all(
    HOSTS.map(async (host) => {
      await startHost(host, base, host === MASTER ? [`${archives}:/srv/archives`] : []);
      await mustIn(host.name, ['tee', '/etc/hosts'], `${table}\n`);
    }),
  );
  const dir = '/root/aegir';
  await mustIn(MASTER.name, ['mkdir', dir]);
  for (const program of ['aegir-master', 'aegir'])
    await mustIn(MASTER.name, ['tar', '-xzf', `/srv/archives/${program}-linux-${process.arch}.tar.gz`, '-C', dir]);
  await mustIn(MASTER.name, ['cp', `/srv/archives/aegir-agent-linux-${process.arch}.tar.gz`, dir]);
  const said = await mustIn(MASTER.name, [join(dir, 'aegir-master'), 'install']);
  const context = /^ {2}aegir (context add .*)$/m.exec(said)?.[1];
  if (context === undefined) throw new Error(`the master does not tell how to use it: ${said}`);
  await mustAegir(...context.split(' '));
}

/** Runs the line that the master prints, as a person pastes it. */
export async function join_(host: LabHost): Promise<string> {
  const line = await mustAegir('server', 'join-command', '--accept');
  return mustIn(host.name, ['sh', '-c', line]);
}

export async function until(what: string, condition: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`waited ${withinMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function isConnected(host: LabHost): Promise<boolean> {
  const servers = await aegirJson<readonly { name: string; connected: boolean }[]>('server', 'list');
  return servers.some((server) => server.name === host.name && server.connected);
}

export interface Page {
  readonly status: number;
  readonly body: string;
}

/** A visitor with cookies, who resolves every name of a site to the web server. */
export function createVisitor(): { get(url: string): Page; close(): void } {
  const dir = mkdtempSync('/tmp/aegir-visitor-');
  return {
    get: (url) => {
      const { hostname } = new URL(url);
      const args = [
        ...['--silent', '--show-error', '--location', '--max-time', '20'],
        ...['--cookie', join(dir, 'jar'), '--cookie-jar', join(dir, 'jar')],
        ...['--resolve', `${hostname}:80:${WEB1.address}`, '--write-out', '\n%{http_code}', url],
      ];
      const { stdout, stderr, status } = spawnSync('curl', args, { encoding: 'utf8', maxBuffer: 10_000_000 });
      if (status !== 0) throw new Error(`curl ${url}: ${stderr}`);
      const cut = stdout.lastIndexOf('\n');
      return { status: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut) };
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export async function stopFleet(): Promise<void> {
  for (const host of HOSTS) await removeHost(host.name);
  await stopNetwork().catch(() => {});
}
