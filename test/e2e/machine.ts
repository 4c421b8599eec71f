// A whole fleet on this machine for tests: master and two embedded servers as real processes that can be killed and
// started again, each with an environment of its own. Everything is under one temporary directory.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from '../../deploy/up/child.ts';
import { type Layout, openLayout } from '../../deploy/up/layout.ts';
import {
  connectWhenReady,
  type EmbeddedServer,
  type ExtraEnv,
  LOOPBACK,
  SERVERS,
  startAgent,
  startMaster,
  until,
} from '../../deploy/up/processes.ts';
import type { Connection } from '../../master/cli/connection.ts';
import {
  PlatformServiceService,
  ServerServiceService,
  ServiceServiceService,
  type Task,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';

/** Servers besides web1 and db1 are added by startServer. */
export type ProcessName = string;

export interface Machine {
  readonly layout: Layout;
  connection(): Connection;
  /** Starts it, or starts it again; resolves when it serves. */
  start(name: ProcessName, env?: ExtraEnv, settings?: object): Promise<void>;
  /** One more server, which joins first where it has not. */
  startServer(server: EmbeddedServer, env?: ExtraEnv): Promise<void>;
  process(name: ProcessName): Child;
  stop(name: ProcessName): Promise<void>;
  /** Both servers connected and their services enabled. */
  ready(): Promise<void>;
  /** Ends everything; throws when a process of it is left. */
  close(): Promise<void>;
}

const never = new AbortController().signal;

export async function createMachine(): Promise<Machine> {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-e2e-'));
  // The daemons' user has to pass through it.
  chmodSync(dir, 0o711);
  const layout = await openLayout(dir, 'spare');
  const processes = new Map<ProcessName, Child>();
  let link: Connection | undefined;
  const connection = () => {
    if (link === undefined) throw new Error('the master was not started');
    return link;
  };
  const process = (name: ProcessName) => {
    const child = processes.get(name);
    if (child === undefined) throw new Error(`${name} was not started`);
    return child;
  };
  const machine: Machine = {
    layout,
    connection,
    process,
    start: async (name, env = {}, settings = {}) => {
      if (name === 'master') {
        const master = startMaster(layout, env, settings);
        processes.set('master', master);
        link?.close();
        link = await connectWhenReady(
          layout,
          `${LOOPBACK}:${layout.ports.api}`,
          join(layout.master, 'admin.token'),
          master,
          never,
        );
        return;
      }
      const server = SERVERS.find((each) => each.name === name);
      if (server === undefined) throw new Error(`there is no server ${name}`);
      await machine.startServer(server, env);
    },
    startServer: async (server, env = {}) => {
      if (server.daemons.includes('mariadb')) keepBinaryLog(join(layout.dir, server.name, 'host'));
      processes.set(server.name, await startAgent(layout, connection(), server, env));
    },
    stop: async (name) => process(name).stop(),
    ready: async () => {
      await until('both servers to be connected', undefined, never, async () => {
        const { servers } = await connection().call(ServerServiceService.listServers, { pageSize: 0, pageToken: '' });
        return ['web1', 'db1'].every((name) =>
          servers.some((server) => server.name === name && server.connected && server.state === 'accepted'),
        );
      });
      await until('services to be enabled', undefined, never, async () => {
        const { services } = await connection().call(ServiceServiceService.listServices, {
          pageSize: 0,
          pageToken: '',
          server: '',
          type: '',
        });
        return ['web1/nginx', 'web1/null', 'db1/mariadb'].every((name) =>
          services.some((service) => service.name === name && service.state === 'enabled'),
        );
      });
    },
    close: async () => {
      link?.close();
      await Promise.all([...processes].filter(([name]) => name !== 'master').map(([, child]) => child.stop()));
      await processes.get('master')?.stop();
      const left = processesUnder(dir);
      rmSync(dir, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`processes are left: ${left.join('; ')}`);
    },
  };
  return machine;
}

/** As most servers that matter do: databases that move can be followed. */
function keepBinaryLog(host: string): void {
  const dir = join(host, 'etc/mariadb/conf.d');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  writeFileSync(join(dir, 'binary-log.cnf'), '[mariadbd]\nlog_bin = changes\nbinlog_format = ROW\n', { mode: 0o644 });
}

/** Starts everything from nothing. */
export async function startMachine(env: ExtraEnv = {}): Promise<Machine> {
  const machine = await createMachine();
  try {
    await machine.start('master', env);
    await Promise.all([machine.start('web1', env), machine.start('db1', env)]);
    await machine.ready();
    return machine;
  } catch (error) {
    await machine.close().catch(() => {});
    throw error;
  }
}

export async function addPlatform(machine: Machine, name: string, root: string, service = 'web1/nginx'): Promise<void> {
  const change = await machine.connection().call(PlatformServiceService.addPlatform, {
    name,
    root,
    service,
    app: '',
    options: undefined,
  });
  const { task } = await finish(machine, change.taskId);
  if (task.state !== 'succeeded') throw new Error(`platform add: ${task.state}: ${task.reason}`);
}

export function addWordpress(machine: Machine): Promise<void> {
  return addPlatform(machine, 'wordpress', '/usr/share/wordpress');
}

export interface Finished {
  readonly task: Task;
  readonly events: readonly Event[];
}

const TASK_TIMEOUT_MS = 300_000;

/** Follows a task to its end, over restarts of the master. */
export async function finish(machine: Machine, taskId: string, mostMs = TASK_TIMEOUT_MS): Promise<Finished> {
  let task: Task | undefined;
  const began = Date.now();
  for (const deadline = began + mostMs; ; ) {
    try {
      task = await machine.connection().call(TaskServiceService.getTask, { taskId });
      if (['succeeded', 'failed', 'cancelled', 'stuck'].includes(task.state)) break;
    } catch (error) {
      if ((error as { code?: string }).code !== 'unavailable') throw error;
    }
    if (Date.now() > deadline)
      throw new Error(`task ${taskId} does not end: ${task?.state} ${task?.reason} ${JSON.stringify(task?.steps)}`);
    // Seldom, where it takes long: to be asked costs the master what the task needs.
    await new Promise((resolve) => setTimeout(resolve, Math.min(50 + (Date.now() - began) / 20, 250)));
  }
  const events: Event[] = [];
  if (task.state !== 'stuck') {
    for await (const event of machine.connection().stream(TaskServiceService.watchTask, { taskId, afterSeq: 0n }))
      events.push(event);
  }
  return { task, events };
}

/** Ids of the newest tasks; state: of those alone. */
export async function taskIds(machine: Machine, state = ''): Promise<ReadonlySet<string>> {
  const { tasks } = await machine.connection().call(TaskServiceService.listTasks, {
    pageSize: 50,
    pageToken: '',
    state,
    subjectId: '',
  });
  return new Set(tasks.map((task) => task.id));
}

/** Processes whose command line or working directory names the directory. */
export function processesUnder(dir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const cwd = readlinkSync(`/proc/${pid}/cwd`);
        return line.includes(dir) || cwd.startsWith(dir) ? [`${pid} ${line}`] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}
