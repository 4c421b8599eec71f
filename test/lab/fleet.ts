// A master, web servers and a database server as lab hosts with real systemd, installed as the README tells: the master by
// `aegir-master install`, the others by the line that it prints. No host has Node.
import { join } from 'node:path';
import { buildBase, createLab, type Lab, type LabHost, type Ran } from '../../deploy/lab/lab.ts';
import { binaries } from './binaries.ts';
import { takeSlot } from './slot.ts';

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
  /** Runs the line that the master prints, as a person pastes it, and waits for the agent's session; answers what it said. */
  join(host: LabHost): Promise<string>;
  isConnected(host: LabHost): Promise<boolean>;
  /** Starts a host again after a power loss, with the disk that it had. */
  boot(host: LabHost): Promise<void>;
  /** Main process of a unit. */
  pid(host: LabHost, unit: string): Promise<string>;
  /** Removes all hosts, with what kept them apart. */
  stop(): Promise<void>;
}

export interface FleetOptions {
  /** Hosts besides the usual ones. */
  readonly more?: readonly string[];
  /** A directory of this machine that all hosts but the master's see at /srv/common, to be written. */
  readonly common?: string;
}

/** Everything up to a fresh master without servers. */
export async function startFleet({ more = [], common }: FleetOptions = {}): Promise<Fleet> {
  const archives = await binaries();
  const base = await buildBase();
  const slot = await takeSlot(['master', 'web1', 'web2', 'db1', ...more]);
  const lab = createLab(slot.options);
  const host = (kind: string, end: number): LabHost => ({ name: slot.nameOf(kind), address: `${slot.network}.${end}` });
  const named = { master: host('master', 10), web1: host('web1', 11), web2: host('web2', 12), db1: host('db1', 21) };
  const { master } = named;
  const others = new Map(more.map((kind, index) => [kind, host(kind, 31 + index)]));
  const hosts = [...Object.values(named), ...others.values()];
  const binds = common === undefined ? [] : [`${common}:/srv/common:rw`];

  const clear = async (): Promise<void> => {
    for (const { name } of hosts) await lab.remove(name);
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
  const isConnected = async ({ name }: LabHost): Promise<boolean> => {
    const servers = await json<readonly { name: string; connected: boolean }[]>('server', 'list');
    return servers.some((server) => server.name === name && server.connected);
  };

  try {
    // What was left when the machine itself went down.
    await clear();
    await lab.startNetwork();
    const table = ['127.0.0.1 localhost', ...hosts.map(({ name, address }) => `${address} ${name}`)].join('\n');
    await Promise.all(
      hosts.map(async (each) => {
        await lab.start(each, base, each === master ? [`${archives}:/srv/archives`] : binds);
        await lab.must(each.name, ['tee', '/etc/hosts'], `${table}\n`);
      }),
    );
    await must('context', ...(await installMaster(lab, master)));
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
    isConnected,
    stop,
    async join(each) {
      const line = await must('server', 'join-command', '--accept');
      const said = await lab.must(each.name, ['sh', '-c', line]);
      await until(`${each.name} to connect`, () => isConnected(each));
      return said;
    },
    boot: (each) => lab.start(each, base, binds),
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
  for (const program of ['aegir-master', 'aegir'])
    await lab.must(name, ['tar', '-xzf', `/srv/archives/${program}-linux-${process.arch}.tar.gz`, '-C', dir]);
  await lab.must(name, ['cp', `/srv/archives/aegir-agent-linux-${process.arch}.tar.gz`, dir]);
  const { code, stdout: said, stderr } = await lab.exec(name, [join(dir, 'aegir-master'), 'install']);
  if (code !== 0) {
    const journal = await lab.exec(name, ['journalctl', '--no-pager', '--lines=20', '--unit=aegir-master']);
    throw new Error(`aegir-master install failed: ${stderr}\n${journal.stdout}`);
  }
  const context = /^ {2}aegir context (add .*)$/m.exec(said)?.[1];
  if (context === undefined) throw new Error(`the master does not tell how to use it: ${said}`);
  return context.split(' ');
}

export async function until(what: string, condition: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`waited ${withinMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
