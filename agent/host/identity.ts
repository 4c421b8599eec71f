// Facts of the machine, as the kernel and os-release tell them.
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, networkInterfaces, release, totalmem } from 'node:os';
import type { DiskUsage, HostIdentity } from './host.ts';
import { parseMounts } from './mounts.ts';
import { prettyName } from './os-release.ts';

/** A network file system whose server is gone would block for ever. */
const STATFS_MS = 2_000;

export interface Addresses {
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly sourceAddresses: readonly string[];
}

export async function readIdentity(where: Addresses): Promise<HostIdentity> {
  return {
    ...where,
    os: prettyName(await readFile('/etc/os-release', 'utf8').catch(() => '')),
    kernel: release(),
    arch: arch(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    disks: await readDisks(),
  };
}

/** Addresses of the interfaces, without loopback and link-local ones, IPv4 first. */
export function interfaceAddresses(interfaces = networkInterfaces()): readonly string[] {
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const usable = all.filter(({ internal, address }) => !internal && !isLinkLocal(address));
  const of = (family: string): string[] => usable.filter((one) => one.family === family).map((one) => one.address);
  return [...new Set([...of('IPv4'), ...of('IPv6')])];
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
}

async function readDisks(): Promise<readonly DiskUsage[]> {
  const mounts = parseMounts(await readFile('/proc/mounts', 'utf8').catch(() => ''));
  const disks = await Promise.all(
    mounts.map(async ({ mount, type, network }) => {
      const facts = await inTime(statfs(mount, { bigint: true }));
      if (facts === undefined || facts.blocks === 0n) return undefined;
      const bytes = (blocks: bigint): number => Number(blocks * facts.bsize);
      return { mount, type, network, sizeBytes: bytes(facts.blocks), freeBytes: bytes(facts.bavail) };
    }),
  );
  return disks.filter((disk) => disk !== undefined);
}

async function inTime<T>(asked: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), STATFS_MS);
  });
  try {
    return await Promise.race([asked.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
