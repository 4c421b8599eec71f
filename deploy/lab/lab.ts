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
  // Namespaces and overlay mounts may be forbidden even to root, in a container.
  const script =
    'd=$(mktemp -d); cd "$d"; mkdir l u w m; mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m; umount m; cd /; rm -rf "$d"';
  const tried = spawnSync(
    'unshare',
    ['--mount', '--cgroup', '--net', '--propagation', 'private', 'bash', '-ec', script],
    { encoding: 'utf8' },
  );
  if (tried.status !== 0)
    return `the lab needs namespaces and overlay mounts, and this machine says: ${tried.stderr.trim()}`;
  return undefined;
}

function run(program: string, args: readonly string[], env: Record<string, string> = {}, input?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    child.stdout.on('data', (part: Buffer) => parts.stdout.push(part));
    child.stderr.on('data', (part: Buffer) => parts.stderr.push(part));
    child.on('error', reject);
    // exit, not close: a host that was started holds no pipe of ours, but be sure not to wait for one.
    child.on('exit', (code) => {
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

async function must(program: string, args: readonly string[], env?: Record<string, string>): Promise<string> {
  const ran = await run(program, args, env);
  if (ran.code === 0) return ran.stdout.trim();
  throw new Error(`lab: ${args.join(' ')} failed (${ran.code}): ${ran.stderr.trim() || ran.stdout.trim()}`);
}

const hostScript = (args: readonly string[], env?: Record<string, string>) => must(`${here}/host.sh`, args, env);

/** Builds the base image unless it is there; answers its path. */
export function buildBase(): Promise<string> {
  return must(`${here}/base.sh`, []);
}

export async function startNetwork(): Promise<void> {
  await hostScript(['net-up']);
}

/** binds: host paths shown read-only in the lab host, as SOURCE:TARGET. */
export async function startHost(host: LabHost, base: string, binds: readonly string[] = []): Promise<void> {
  for (const bind of binds) {
    const source = bind.split(':')[0] ?? '';
    if (!existsSync(source)) throw new Error(`lab: cannot bind ${source}: there is no such path`);
  }
  await hostScript(['up', host.name, host.address, base], {
    NSPAWN_ARGS: binds.map((bind) => `--bind-ro=${bind}`).join(' '),
  });
  await hostScript(['wait', host.name]);
}

/** Runs an argument vector in a host; a non-zero code is a result. */
export function execIn(name: string, argv: readonly string[], input?: string): Promise<Ran> {
  return run(`${here}/host.sh`, ['exec', name, ...argv], {}, input);
}

/** As execIn, but throws on a non-zero code. */
export async function mustIn(name: string, argv: readonly string[], input?: string): Promise<string> {
  const ran = await execIn(name, argv, input);
  if (ran.code === 0) return ran.stdout.trim();
  throw new Error(`lab: ${name}: ${argv.join(' ')} failed (${ran.code}): ${ran.stderr.trim() || ran.stdout.trim()}`);
}

export const crashHost = (name: string) => hostScript(['crash', name]);
export const stopHost = (name: string) => hostScript(['stop', name]);
export const cutHost = (name: string) => hostScript(['cut', name]);
export const healHost = (name: string) => hostScript(['heal', name]);
export const slowHost = (name: string, rate: string) => hostScript(['slow', name, rate]);
export const loseAt = (name: string, percent: string) => hostScript(['loss', name, percent]);
export async function stopNetwork(): Promise<void> {
  await hostScript(['net-down']);
}
export const removeHost = (name: string) => hostScript(['rm', name]);

export async function listHosts(): Promise<readonly (LabHost & { readonly up: boolean })[]> {
  const lines = (await hostScript(['list'])).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [name = '', address = '', state] = line.split(' ');
    return { name, address, up: state === 'up' };
  });
}
