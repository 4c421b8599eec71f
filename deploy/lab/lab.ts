// The lab for TypeScript: hosts with real systemd on one machine, by host.sh and base.sh beside this file.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const here = import.meta.dirname;

export interface LabHost {
  readonly name: string;
  readonly address: string;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why there can be no lab on this machine; undefined when there can. */
export function labUnavailable(): string | undefined {
  if (process.platform !== 'linux') return 'the lab needs Linux';
  if (process.getuid?.() !== 0) return 'the lab needs root: it makes network namespaces and mounts';
  for (const program of ['mmdebstrap', 'systemd-nspawn', 'nft', 'ip', 'unshare', 'nsenter']) {
    if (spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status !== 0)
      return `the lab needs ${program}; run: npm run setup`;
  }
  // Namespaces and mounts may be forbidden even to root, in a container.
  const script =
    'd=$(mktemp -d); cd "$d"; mkdir l u w m; mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m; umount m; mount -t cgroup2 cgroup2 m; umount m; cd /; rm -rf "$d"';
  const tried = spawnSync(
    'unshare',
    ['--mount', '--cgroup', '--net', '--propagation', 'private', 'bash', '-ec', script],
    { encoding: 'utf8' },
  );
  if (tried.status !== 0)
    return `the lab needs namespaces, overlay and cgroup2 mounts, and this machine says: ${tried.stderr.trim()}`;
  return undefined;
}

function run(program: string, args: readonly string[], env: Record<string, string> = {}, input?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout.on('data', (part: Buffer) => parts.stdout.push(part));
    child.stderr.on('data', (part: Buffer) => parts.stderr.push(part));
    child.on('error', reject);
    // close, not exit: what a program wrote last may be read after its end. No host holds these pipes (host.sh, up).
    child.on('close', (code) => {
      resolve({
        code: code ?? 1,
        stdout: Buffer.concat(parts.stdout).toString(),
        stderr: Buffer.concat(parts.stderr).toString(),
      });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

async function must(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const ran = await run(program, args, env);
  if (ran.code === 0) return ran.stdout.trim();
  throw new Error(`lab: ${args.join(' ')} failed (${ran.code}): ${ran.stderr.trim() || ran.stdout.trim()}`);
}

/** Builds the base image unless it is there; answers its path. */
export function buildBase(): Promise<string> {
  return must(`${here}/base.sh`, []);
}

/** What keeps the hosts of one lab from those of another: names of hosts must differ as well. */
export interface LabOptions {
  /** Directory of the hosts' disks. */
  readonly hosts: string;
  /** Name of the bridge, and its address with 24 bits of network. */
  readonly bridge: string;
  readonly gateway: string;
}

export interface Lab {
  startNetwork(): Promise<void>;
  stopNetwork(): Promise<void>;
  /** binds: paths of this machine shown in the host, as SOURCE:TARGET; with :rw at its end to be written. Resolves when its systemd is up. */
  start(host: LabHost, base: string, binds?: readonly string[]): Promise<void>;
  /** Runs an argument vector in a host; a non-zero code is a result. */
  exec(name: string, argv: readonly string[], input?: string): Promise<Ran>;
  /** As exec, but throws on a non-zero code; answers standard output, trimmed. */
  must(name: string, argv: readonly string[], input?: string): Promise<string>;
  /** Its PID 1, as this machine numbers it. */
  leader(name: string): Promise<number>;
  /** Power loss. */
  crash(name: string): Promise<void>;
  /** Orderly power-off. */
  stop(name: string): Promise<void>;
  cut(name: string): Promise<void>;
  heal(name: string): Promise<void>;
  /** For example 1mbit, both ways; off. */
  slow(name: string, rate: string): Promise<void>;
  /** Random loss of packets to the host, per cent; off. */
  lose(name: string, percent: string): Promise<void>;
  /** Power loss, and its disk and network are gone too. */
  remove(name: string): Promise<void>;
  list(): Promise<readonly (LabHost & { readonly up: boolean })[]>;
}

/** Without options: the lab of `npm run lab`. */
export function createLab(options?: LabOptions): Lab {
  const env: Record<string, string> =
    options === undefined
      ? {}
      : {
          AEGIR_LAB_HOSTS: options.hosts,
          AEGIR_LAB_BRIDGE: options.bridge,
          AEGIR_LAB_GATEWAY: options.gateway,
        };
  const script = (args: readonly string[], more: Record<string, string> = {}) =>
    must(`${here}/host.sh`, args, { ...env, ...more });
  const act = async (...args: string[]): Promise<void> => {
    await script(args);
  };
  const exec = (name: string, argv: readonly string[], input?: string) =>
    run(`${here}/host.sh`, ['exec', name, ...argv], env, input);

  return {
    exec,
    startNetwork: () => act('net-up'),
    stopNetwork: () => act('net-down'),
    async start(host, base, binds = []) {
      for (const bind of binds) {
        const source = bind.split(':')[0] ?? '';
        if (!existsSync(source)) throw new Error(`lab: cannot bind ${source}: there is no such path`);
      }
      await script(['up', host.name, host.address, base], {
        NSPAWN_ARGS: binds
          .map((bind) => (bind.endsWith(':rw') ? `--bind=${bind.slice(0, -3)}` : `--bind-ro=${bind}`))
          .join(' '),
      });
      await act('wait', host.name);
    },
    async must(name, argv, input) {
      const ran = await exec(name, argv, input);
      if (ran.code === 0) return ran.stdout.trim();
      throw new Error(
        `lab: ${name}: ${argv.join(' ')} failed (${ran.code}): ${ran.stderr.trim() || ran.stdout.trim()}`,
      );
    },
    leader: async (name) => Number(await script(['pid', name])),
    crash: (name) => act('crash', name),
    stop: (name) => act('stop', name),
    cut: (name) => act('cut', name),
    heal: (name) => act('heal', name),
    slow: (name, rate) => act('slow', name, rate),
    lose: (name, percent) => act('loss', name, percent),
    remove: (name) => act('rm', name),
    async list() {
      const lines = (await script(['list'])).split('\n').filter((line) => line !== '');
      return lines.map((line) => {
        const [name = '', address = '', state] = line.split(' ');
        return { name, address, up: state === 'up' };
      });
    },
  };
}
