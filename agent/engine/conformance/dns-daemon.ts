// Private name servers for tests of dns engines: a program on the loopback in a directory of its own, the zone as a person
// changes it past Aegir, and a host on which an agent's commands are really run.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFakeHost } from '../../host/fake.ts';
import { createFiles } from '../../host/files.ts';
import type { Daemon, Host } from '../../host/host.ts';
import { findGroup, findUser } from '../../host/passwd.ts';
import { createRun, ourselves } from '../../host/process.ts';
import { waitUntil } from '../../host/wait.ts';
import { which } from '../../host/which.ts';
import { presentation } from '../dns/rdata.ts';
import type { DnsWorld } from './dns-stage.ts';

const run = createRun(async () => ourselves());

/** Real files and processes, daemons as given; nothing of it outlives a test that closes its world. */
export function realHost(...daemons: readonly Daemon[]): Host {
  return {
    ...createFakeHost(),
    kind: 'systemd',
    files: createFiles(ownerOf),
    run,
    which,
    daemon: async (name) => daemons.find((daemon) => daemon.name === name),
  };
}

async function ownerOf({ owner, group }: { readonly owner?: string; readonly group?: string }) {
  const me = ourselves();
  const user = owner === undefined ? undefined : await findUser(owner);
  const its = group === undefined ? undefined : await findGroup(group);
  return { uid: user?.uid ?? me.uid, gid: its?.gid ?? user?.gid ?? me.gid };
}

export function temporaryDirectory(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `aegir-${name}-`));
}

export async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const found = server.address();
  server.close();
  await once(server, 'close');
  if (found === null || typeof found === 'string') throw new Error(`no port on ${address}`);
  return found.port;
}

export interface Running {
  readonly pid: number;
  /** Stops it in its tracks, as a machine that hangs, or has it go on. */
  hang(on: boolean): void;
  ended(): boolean;
  /** Ends it and removes its directory. */
  close(): Promise<void>;
}

/** Resolves when ready answers true. */
export async function startProgram(
  argv: readonly [string, ...string[]],
  directory: string,
  ready: () => Promise<boolean>,
): Promise<Running> {
  const [program, ...rest] = argv;
  const child: ChildProcess = spawn(program, rest, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => (said = `${said}${chunk}`.slice(-9999)));
  let over = false;
  const exited = once(child, 'exit').then(() => {
    over = true;
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${program}`);
  const close = async (): Promise<void> => {
    if (!over) process.kill(pid, 'SIGKILL');
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  if (!(await waitUntil(async () => over || (await ready()), 60_000)) || over) {
    await close();
    throw new Error(`${program} does not answer: ${said}`);
  }
  return { pid, hang: (on) => void process.kill(pid, on ? 'SIGSTOP' : 'SIGCONT'), ended: () => over, close };
}

export interface Place {
  readonly address: string;
  readonly port: number;
  /** As nsupdate's -y takes it: of a test's server, no secret. */
  readonly key: string;
}

/** Whether the server answers authoritatively for the name. */
export async function answersFor({ address, port }: Place, name: string): Promise<boolean> {
  const { stdout } = await dig(`@${address}`, '-p', String(port), '+time=1', '+tries=1', '+norecurse', name, 'SOA');
  return /status: NOERROR/.test(stdout) && /flags:[^;]* aa/.test(stdout);
}

export function dig(...args: readonly string[]) {
  return run({ argv: ['dig', ...args] });
}

/** The zone example.org on a server that takes updates with the key. */
export function updatedWorld(place: Place, program: Running): UpdatedWorld {
  const { address, port } = place;
  return {
    place,
    address: `${address}:${port}`,
    async add(name, type, data, ttl = 60) {
      const shown = presentation(type, data);
      await update(place, `update delete ${name}. ${type} ${shown}`, `update add ${name}. ${ttl} ${type} ${shown}`);
    },
    async remove(name, type, data) {
      const shown = type === undefined || data === undefined ? '' : presentation(type, data);
      await update(place, `update delete ${name}. ${type ?? ''} ${shown}`);
    },
    everything: () => transferred(place),
    carryOut: async () => {},
    silence: (on) => program.hang(on),
    close: program.close,
  };
}

export interface UpdatedWorld extends DnsWorld {
  readonly place: Place;
}

/** Takes all names off; SOA and NS of the zone itself stay (RFC 2136, 3.4.2.3). */
export async function emptyUpdatedWorld(world: DnsWorld): Promise<void> {
  const { place } = world as UpdatedWorld;
  const names = new Set((await transferred(place)).map((line) => line.split(' ')[0]));
  await update(place, ...[...names].map((name) => `update delete ${name}`));
}

async function update({ address, port, key }: Place, ...lines: readonly string[]): Promise<void> {
  const input = [`server ${address} ${port}`, 'zone example.org.', ...lines, 'send', ''].join('\n');
  const { code, stderr } = await run({ argv: ['nsupdate', '-v', '-y', key], input });
  if (code !== 0) throw new Error(`cannot change the zone as a person: ${stderr}`);
}

/** Every record of example.org but its SOA and what signing makes. */
export async function transferred({ address, port, key }: Place, zone = 'example.org'): Promise<readonly string[]> {
  const auth = key === '' ? [] : ['-y', key];
  const { stdout } = await dig(
    `@${address}`,
    '-p',
    String(port),
    ...auth,
    '+noall',
    '+answer',
    '+onesoa',
    zone,
    'AXFR',
  );
  const lines = stdout.split('\n').filter((line) => /\sIN\s/.test(line));
  if (lines.length === 0) throw new Error(`cannot transfer ${zone}: ${stdout}`);
  return lines
    .map((line) => line.replace(/\s+/g, ' '))
    .filter((line) => !/ IN (SOA|RRSIG|NSEC|NSEC3|NSEC3PARAM|DNSKEY|CDS|CDNSKEY|TYPE65534) /.test(line))
    .sort();
}

export function logOf(directory: string, file: string): Promise<string> {
  return readFile(join(directory, file), 'utf8');
}
