// Where `npm run up` keeps things, and its ports: chosen once, then kept, so that a second start finds all as it was.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Ports {
  readonly api: number;
  readonly agent: number;
  readonly enrol: number;
  readonly web: number;
  readonly mesh: number;
  /** One pair for each embedded server. */
  readonly web1: { readonly nginx: number; readonly mariadb: number };
  readonly db1: { readonly nginx: number; readonly mariadb: number };
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

export async function openLayout(dir: string): Promise<Layout> {
  mkdirSync(dir, { recursive: true, mode: 0o711 });
  const path = join(dir, 'ports.json');
  const master = join(dir, 'master');
  try {
    return { dir, master, ports: JSON.parse(readFileSync(path, 'utf8')) as Ports };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new Error(`up: cannot read ${path}: ${String(error)}`);
  }
  const taken = new Set<number>();
  const port = (wanted: number) => freePort(wanted, taken);
  const ports: Ports = {
    api: await port(7443),
    agent: await port(7444),
    enrol: await port(7445),
    web: await port(7446),
    mesh: await port(7447),
    web1: { nginx: await port(8081), mariadb: await port(13_306) },
    db1: { nginx: await port(8082), mariadb: await port(13_307) },
  };
  writeFileSync(path, `${JSON.stringify(ports, null, 2)}\n`);
  return { dir, master, ports };
}

/** The wanted port when nobody listens there on any address, else one that the kernel gives. */
async function freePort(wanted: number, taken: Set<number>): Promise<number> {
  for (const candidate of [wanted, 0, 0, 0, 0]) {
    const port = await listenable(candidate);
    if (port === undefined || taken.has(port)) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`up: cannot find a free port near ${wanted}`);
}

function listenable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '0.0.0.0', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
