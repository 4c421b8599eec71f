// A mesh node as a child of the master: writes its files, starts nats-server, keeps it running, ends it.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { Serving } from '../ca/serving.ts';
import { type NodeConf, renderNodeConf } from './node-conf.ts';

export interface NodeOptions {
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  /** What it shows to agents and dials other nodes with. */
  readonly serving: Pick<Serving, 'current' | 'onChange'>;
  /** The authority that agents' certificates must come from, PEM. */
  readonly ca: string;
  readonly claims: Pick<NodeConf, 'operatorJwt' | 'systemAccount' | 'accounts'>;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

export interface MeshNode {
  state(): 'running' | 'stopped';
  /** What its files shall say at its next start. */
  write(claims: NodeOptions['claims']): void;
  /** Has it show the certificate that is current now. Connections that are open stay open. */
  reload(): Promise<void>;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;
const RELOAD_TIMEOUT_MS = 5_000;
const MAX_BACKOFF_MS = 30_000;
const LOG_TAIL = 20;
const MAX_GREETING = 65_536;
/**
 * It takes fresh memory for each message that passes and holds next to none of it: Go would clear up for every 4 MB, which was
 * two fifths of the node's work in a copy of a site. It takes 16 MB more; one that holds much clears up as early as ever.
 */
const GO = { GOGC: '400', GOMEMLIMIT: '256MiB' };

/** Resolves when the node answers. Throws failed_precondition when there is no nats-server or it does not start. */
export async function startMeshNode(options: NodeOptions): Promise<MeshNode> {
  const program = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'].find(existsSync);
  if (program === undefined) {
    throw new AegirError(
      'failed_precondition',
      'cannot start the mesh node: nats-server is not installed; run: apt-get install nats-server',
    );
  }
  // Fresh with every start, so that another NATS server on the port is not taken for ours.
  const name = `master-${randomBytes(4).toString('hex')}`;
  const conf = writeFiles(options, name);
  await endLeftover(join(options.dir, 'node.pid'), conf);
  let begun = options.claims;
  let next = options.claims;
  const tail: string[] = [];
  let child: ChildProcess | undefined;
  let stopping = false;
  let backoff = 500;
  let timer: NodeJS.Timeout | undefined;

  const start = () => {
    begun = next;
    // The node must not outlive a master that is killed: the kernel tells it.
    const started = spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', '--', program, '-c', conf], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/bin:/bin', ...GO },
    });
    child = started;
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      tail.push(...text.split('\n').filter((line) => line !== ''));
      tail.splice(0, Math.max(0, tail.length - LOG_TAIL));
    });
    started.on('error', (error) => options.log('warn', `mesh node: ${error.message}`));
    started.on('exit', (code, signal) => {
      child = undefined;
      if (stopping) return;
      options.log(
        'warn',
        `mesh node ended (${signal ?? code}); starting it again in ${backoff} ms: ${tail.at(-1) ?? ''}`,
      );
      timer = setTimeout(start, backoff);
      backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
    });
  };
  start();

  const node: MeshNode = {
    state: () => (child === undefined ? 'stopped' : 'running'),
    write: (claims) => {
      next = claims;
      writeFiles({ ...options, claims }, name);
    },
    reload: async () => {
      const running = child;
      // A node that runs takes no other claims than it began with from its files (they are pushed), and reads nothing
      // of them if there are.
      writeFiles({ ...options, claims: running === undefined ? next : begun }, name);
      if (running === undefined) return;
      const told = reloaded(running);
      running.kill('SIGHUP');
      try {
        await told;
      } finally {
        writeFiles({ ...options, claims: next }, name);
      }
    },
    stop: async () => {
      stopping = true;
      clearTimeout(timer);
      const running = child;
      if (running === undefined) return;
      const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      running.kill('SIGTERM');
      const force = setTimeout(() => running.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(force);
    },
  };
  try {
    await answers(options.host, options.port, name, () => child !== undefined);
  } catch (cause) {
    await node.stop();
    const why =
      tail.filter((line) => /\[(ERR|FTL)\]|nats-server:/.test(line)).at(-1) ?? tail.at(-1) ?? 'it does not answer';
    throw new AegirError(
      'failed_precondition',
      `cannot start the mesh node on ${options.host}:${options.port}: ${why}`,
      { cause },
    );
  }
  backoff = 500;
  options.log('info', `mesh node runs on ${options.host}:${options.port}`);
  return node;
}

function writeFiles(options: NodeOptions, name: string): string {
  const at = (name: string) => join(options.dir, name);
  mkdirSync(at('jwt'), { recursive: true, mode: 0o700 });
  const put = (file: string, content: string) => {
    writeFileSync(`${at(file)}.tmp`, content, { mode: 0o600 });
    renameSync(`${at(file)}.tmp`, at(file));
  };
  const { chainPem, keyPem } = options.serving.current();
  put('cert.pem', chainPem);
  put('key.pem', keyPem);
  put('ca.pem', options.ca);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  put(
    'node.conf',
    renderNodeConf({
      name,
      listen: `${host}:${options.port}`,
      pidFile: at('node.pid'),
      certFile: at('cert.pem'),
      keyFile: at('key.pem'),
      caFile: at('ca.pem'),
      jwtDir: at('jwt'),
      ...options.claims,
    }),
  );
  return at('node.conf');
}

/** Resolves when the node says that it has read its files anew, or ended; throws what it says against it. */
function reloaded(node: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error) => {
      clearTimeout(late);
      node.off('exit', gone);
      node.stderr?.off('data', hear);
      if (error === undefined) resolve();
      else reject(error);
    };
    const gone = () => end();
    const hear = (text: string) => {
      if (text.includes('Reloaded server configuration')) end();
      const failed = /Failed to reload server configuration: .*/.exec(text)?.[0];
      if (failed !== undefined) end(new Error(failed));
    };
    const late = setTimeout(() => end(new Error('it does not say that it read its files anew')), RELOAD_TIMEOUT_MS);
    node.once('exit', gone);
    node.stderr?.on('data', hear);
  });
}

/** A node whose master was killed may still be ending: it must be gone before its port is taken again. */
async function endLeftover(pidFile: string, conf: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const ours = async () => {
    try {
      const exe = await readlink(`/proc/${pid}/exe`);
      return exe.includes('nats-server') && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(conf);
    } catch {
      // No such process, or not ours to look at: then it is not our node.
      return false;
    }
  };
  if (!(await ours())) return;
  process.kill(pid, 'SIGKILL');
  for (const deadline = Date.now() + STOP_TIMEOUT_MS; (await ours()) && Date.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function answers(host: string, port: number, name: string, alive: () => boolean): Promise<void> {
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; ) {
    if (!alive()) throw new Error('it ended');
    // nats-server greets with INFO before TLS begins; another program on the port would not.
    const greeting = await new Promise<string>((resolve) => {
      const socket = connect(port, host);
      let text = '';
      const end = () => {
        socket.destroy();
        resolve(text);
      };
      socket.on('data', (data) => {
        text += data.toString('latin1');
        if (text.includes('\n') || text.length > MAX_GREETING) end();
      });
      socket.once('error', end);
      socket.once('close', end);
      socket.setTimeout(1000, end);
    });
    if (greeting.startsWith('INFO ') && greeting.includes(`"server_name":${JSON.stringify(name)}`)) return;
    if (Date.now() > deadline) throw new Error('it does not answer');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
