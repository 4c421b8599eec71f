// Where `npm run up` keeps things, and its ports: chosen once, then kept, so that a second start finds all as it was.
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export interface Ports {
  readonly api: number;
  readonly agent: number;
  readonly enrol: number;
  readonly web: number;
  readonly mesh: number;
  /** One pair for each embedded server. */
  readonly web1: { readonly nginx: number; readonly nginxTls?: number; readonly mariadb: number };
  readonly db1: { readonly nginx: number; readonly mariadb: number };
  /** Of the third server, where there is one: its web server's are those of web1, since a site that moves keeps its URL. */
  readonly web2?: { readonly nginx: number; readonly nginxTls?: number; readonly mariadb: number };
}

export interface Layout {
  readonly dir: string;
  readonly master: string;
  readonly ports: Ports;
}

/** root keeps its sites where other users (nginx, PHP, MariaDB run as one) may pass; /root itself is closed to them. */
export function defaultDir(env: NodeJS.ProcessEnv, uid: number): string {
  if (uid === 0) return '/var/lib/aegir-up';
  return join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local/state'), 'aegir-up');
}

/** ports 'usual': those of the manual when they are free; 'spare': never those, for several machines at once. */
export async function openLayout(dir: string, choice: 'usual' | 'spare' = 'usual'): Promise<Layout> {
  makeDirectory(dir);
  const path = join(dir, 'ports.json');
  const master = join(dir, 'master');
  try {
    return { dir, master, ports: JSON.parse(readFileSync(path, 'utf8')) as Ports };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new Error(`up: cannot read ${path}: ${String(error)}`);
  }
  let spare: number[] | undefined;
  const port = async (wanted: number) => {
    if (choice === 'usual' && (await isFree(wanted))) return wanted;
    spare ??= await takeBlock();
    const next = spare.shift();
    if (next === undefined) throw new Error('up: cannot find a free port; see: ss --listening --tcp');
    return next;
  };
  const ports: Ports = {
    api: await port(7443),
    agent: await port(7444),
    enrol: await port(7445),
    web: await port(7446),
    mesh: await port(7447),
    web1: { nginx: await port(8081), nginxTls: await port(8444), mariadb: await port(13_306) },
    db1: { nginx: await port(8082), mariadb: await port(13_307) },
  };
  writeFileSync(path, `${JSON.stringify(ports, null, 2)}\n`);
  return { dir, master, ports };
}

/** With a third server, from now on. Repeatable. */
export async function withThird(layout: Layout): Promise<Layout> {
  if (layout.ports.web2 !== undefined) return layout;
  let mariadb = 13_308;
  while (!(await isFree(mariadb))) mariadb++;
  const ports = { ...layout.ports, web2: { ...layout.ports.web1, mariadb } };
  writeFileSync(join(layout.dir, 'ports.json'), `${JSON.stringify(ports, null, 2)}\n`);
  return { ...layout, ports };
}

/**
 * One after the other, from the first that is missing: Node's own way never ends where a parent says that there is
 * nothing to make one in, as /proc does.
 */
function makeDirectory(dir: string): void {
  const missing: string[] = [];
  try {
    for (let at = resolve(dir); !isDirectory(at); at = dirname(at)) missing.unshift(at);
    for (const path of missing) mkdirSync(path, { mode: 0o711 });
  } catch (cause) {
    const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
    throw new Error(`cannot make ${dir}: ${UNMADE[code] ?? message}; name another by --dir DIR`, { cause });
  }
}

const UNMADE: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system there is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'there is a file of that name in its path',
  EEXIST: 'there is a file of that name',
  ENOENT: 'no directory can be made there',
};

/** Throws ENOTDIR for what is there and is none. */
function isDirectory(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isDirectory()) return found !== undefined;
  throw Object.assign(new Error(`${path} is no directory`), { code: 'ENOTDIR' });
}

/** Below the ports that the kernel gives to whoever dials out (ip(7), ip_local_port_range): nobody takes one meanwhile. */
const SPARE = { first: 15_000, blocks: 800, size: 16 } as const;

/**
 * Free ports that no other machine of ours on this host takes while this process lives, even while nobody listens there:
 * a block is held by an abstract UNIX socket, which the kernel frees.
 */
async function takeBlock(): Promise<number[]> {
  for (let tried = 0; tried < SPARE.blocks; tried++) {
    const block = randomInt(SPARE.blocks);
    const held = createServer((socket) => socket.destroy());
    const taken = await new Promise<boolean>((resolve) => {
      held.once('error', () => resolve(false));
      held.listen(`\0aegir-ports-${block}`, () => resolve(true));
    });
    if (!taken) continue;
    held.unref();
    const ports = Array.from({ length: SPARE.size }, (_, at) => SPARE.first + block * SPARE.size + at);
    const free = await Promise.all(ports.map(isFree));
    return ports.filter((_, at) => free[at]);
  }
  throw new Error('up: cannot find free ports; see: ss --listening --tcp');
}

/**
 * Sites and agents know the ports that were chosen first: they stay, and what has one of the master's meanwhile must go.
 * Waits for what a killed `up` left, which ends by itself. withinMs: for that.
 */
export async function requirePorts({ ports }: Layout, withinMs = 10_000): Promise<void> {
  const until = performance.now() + withinMs;
  for (const port of [ports.api, ports.agent, ports.enrol, ports.web, ports.mesh]) {
    while (!(await isFree(port))) {
      if (performance.now() > until) {
        throw new Error(
          `port ${port} is another program's now (ss --listening --tcp --processes names it); stop that, or start another with --dir DIR`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
