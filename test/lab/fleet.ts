// A master, web servers and a database server as lab hosts with real systemd, installed as the README tells: the master by
// `aegir-master install`, the others by the line that it prints. No host has Node.
import { join } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import { buildBase, createLab, type Lab, type LabHost, type Ran } from '../../deploy/lab/lab.ts';
import { createConnection } from '../../master/cli/connection.ts';
import { ServerServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { binaries } from './binaries.ts';
import { takeSlot } from './slot.ts';

const ALL = { pageSize: 0, pageToken: '' };
/** For hooks and tests that start or join hosts: a bound for what hangs, with room for a machine that is slow or busy. */
export const START_MS = 900_000;

export interface Fleet {
  readonly lab: Lab;
  readonly master: LabHost;
  readonly web1: LabHost;
  readonly web2: LabHost;
  readonly db1: LabHost;
  /** One of those that were asked for besides. */
  host(kind: string): LabHost;
  /** Runs the command line on the master's host. */
  aegir(...args: string[]): Promise<Ran>;
  /** Its standard output; throws when it fails. */
  must(...args: string[]): Promise<string>;
  json<T>(...args: string[]): Promise<T>;
  /** Asks the master's API itself, what is to be asked often: each start of the command line takes most of a second. */
  ask<I, O>(method: MethodDefinition<I, O>, request: I): Promise<O>;
  /** Runs the line that the master prints, as a person pastes it, and waits for the agent's session; answers what it said. */
  join(host: LabHost): Promise<string>;
  isConnected(host: LabHost): Promise<boolean>;
  /** Starts one of those that are for later, or a host again after a power loss, with the disk that it had. */
  boot(host: LabHost): Promise<void>;
  /** Main process of a unit. */
  pid(host: LabHost, unit: string): Promise<string>;
  /** Removes all hosts, with what kept them apart. */
  stop(): Promise<void>;
}

export interface FleetOptions {
  /** Hosts besides the usual ones. */
  readonly more?: readonly string[];
  /** Hosts that are not started until somebody boots them. */
  readonly later?: readonly string[];
  /** A directory of this machine that all hosts but the master's see at /srv/common, to be written. */
  readonly common?: string;
}

/** Everything up to a fresh master without servers. */
export async function startFleet({ more = [], later = [], common }: FleetOptions = {}): Promise<Fleet> {
  const archives = await binaries();
  const base = await buildBase();
  const slot = await takeSlot(['master', 'web1', 'web2', 'db1', ...more, ...later]);
  const lab = createLab(slot.options);
  const host = (kind: string, end: number): LabHost => ({ name: slot.nameOf(kind), address: `${slot.network}.${end}` });
  const named = { master: host('master', 10), web1: host('web1', 11), web2: host('web2', 12), db1: host('db1', 21) };
  const { master } = named;
  const others = new Map([...more, ...later].map((kind, index) => [kind, host(kind, 31 + index)]));
  const hosts = [...Object.values(named), ...others.values()];
  const binds = common === undefined ? [] : [`${common}:/srv/common:rw`];

  const clear = async (): Promise<void> => {
    await Promise.all(hosts.map(({ name }) => lab.remove(name)));
    await lab.stopNetwork();
  };
  const stop = async (): Promise<void> => {
    try {
      await clear();
    } finally {
      await slot.release();
    }
  };
  const aegir = (...args: string[]) => lab.exec(master.name, ['aegir', ...args]);
  const must = (...args: string[]) => lab.must(master.name, ['aegir', ...args]);
  const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await must(...args, '--output', 'json')) as T;
  let context = { address: `${master.address}:7443`, ca: '', token: '' };
  const ask = async <I, O>(method: MethodDefinition<I, O>, request: I): Promise<O> => {
    // A new one each time: links are cut, and the master dies.
    const connection = createConnection(context);
    try {
      return await connection.call(method, request);
    } finally {
      connection.close();
    }
  };
  const isConnected = async ({ name }: LabHost): Promise<boolean> => {
    const { servers } = await ask(ServerServiceService.listServers, ALL);
    return servers.some((server) => server.name === name && server.connected);
  };
  const table = ['127.0.0.1 localhost', ...hosts.map(({ name, address }) => `${address} ${name}`)].join('\n');
  const boot = async (each: LabHost): Promise<void> => {
    await lab.start(each, base, each === master ? [`${archives}:/srv/archives`] : binds);
    await lab.must(each.name, ['tee', '/etc/hosts'], `${table}\n`);
  };

  try {
    // What was left when the machine itself went down.
    await clear();
    await lab.startNetwork();
    await Promise.all(hosts.filter((each) => !later.some((kind) => others.get(kind) === each)).map(boot));
    await must('context', ...(await installMaster(lab, master)));
    const read = (name: string) => lab.must(master.name, ['cat', `/var/lib/aegir/${name}`]);
    context = { ...context, ca: await read('ca.pem'), token: await read('admin.token') };
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    ...named,
    lab,
    aegir,
    must,
    json,
    ask,
    isConnected,
    boot,
    stop,
    async join(each) {
      const line = await must('server', 'join-command', '--accept');
      const said = await lab.must(each.name, ['sh', '-c', line]);
      await until(`${each.name} to connect`, () => isConnected(each));
      return said;
    },
    host(kind) {
      const found = others.get(kind);
      if (found === undefined) throw new Error(`there is no host ${kind} in this fleet`);
      return found;
    },
    pid: (each, unit) => lab.must(each.name, ['systemctl', 'show', '--property', 'MainPID', '--value', unit]),
  };
}

/** Answers the arguments of `aegir context` that it tells to use it by. */
async function installMaster(lab: Lab, { name }: LabHost): Promise<string[]> {
  const dir = '/root/aegir';
  await lab.must(name, ['mkdir', dir]);
  const archive = (program: string) => `/srv/archives/${program}-linux-${process.arch}.tar.gz`;
  await Promise.all([
    ...['aegir-master', 'aegir'].map((program) => lab.must(name, ['tar', '-xzf', archive(program), '-C', dir])),
    lab.must(name, ['cp', archive('aegir-agent'), dir]),
  ]);
  const { code, stdout: said, stderr } = await lab.exec(name, [join(dir, 'aegir-master'), 'install']);
  if (code !== 0) {
    const journal = await lab.exec(name, ['journalctl', '--no-pager', '--lines=20', '--unit=aegir-master']);
    throw new Error(`aegir-master install failed: ${stderr}\n${journal.stdout}`);
  }
  const context = /^ {2}aegir context (add .*)$/m.exec(said)?.[1];
  if (context === undefined) throw new Error(`the master does not tell how to use it: ${said}`);
  return context.split(' ');
}

export async function until(what: string, condition: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`waited ${withinMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
