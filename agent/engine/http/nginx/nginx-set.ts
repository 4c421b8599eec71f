// nginx as a set of configuration files: where it listens for sites, how it is tested, how it tells what it has loaded.
import { join } from 'node:path';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import type { ConfigSet } from '../config/config-set.ts';
import { askGeneration } from '../config/status.ts';
import type { Listening } from '../virtual-host.ts';
import { type NginxBase, renderNginxBase, SIZE_DIRECTIVES, type SizeDirective, sizesIn } from './base.ts';
import { readNginxTest } from './complaint.ts';

const BASE_FILE = 'aegir-00-http.conf';
/** There when the kernel speaks IPv6; nginx would not start with an address of a family that is missing. */
const IPV6 = '/proc/net/if_inet6';

export async function createNginxSet(host: Host, daemon: Daemon, ctx: ActionContext): Promise<ConfigSet> {
  const base: NginxBase = {
    listening: await listeningOf(host, daemon),
    sizes: await sizesForUs(host, daemon, ctx),
  };
  return {
    host,
    daemon,
    label: 'nginx',
    baseFile: BASE_FILE,
    renderBase: (manifest, generation) => renderNginxBase(base, manifest, generation),
    async test(testCtx) {
      const argv = [daemon.program, ...daemon.configArguments, '-t'] as const;
      const { code, stderr } = await host.run({ argv, signal: testCtx.signal });
      return readNginxTest(code, stderr);
    },
    loadedGeneration: () => askGeneration(localAddresses(host, daemon), daemon.port),
  };
}

export async function listeningOf(host: Host, daemon: Daemon): Promise<Listening> {
  const addresses = host.kind === 'systemd' ? [] : daemon.addresses;
  return { addresses, port: daemon.port, tlsPort: daemon.tlsPort, ipv6: await host.files.exists(IPV6) };
}

/** Where this host reaches its own nginx. */
function localAddresses(host: Host, daemon: Daemon): readonly string[] {
  return host.kind === 'systemd' ? ['127.0.0.1', '::1'] : daemon.addresses;
}

/** What our base file has once stays ours, unless nginx says that it is there twice: then the operator has added it. */
async function sizesForUs(host: Host, daemon: Daemon, ctx: ActionContext): Promise<readonly SizeDirective[]> {
  const path = join(daemon.includeDir, BASE_FILE);
  const current = await host.files.read(path);
  const argv = [daemon.program, ...daemon.configArguments] as const;
  if (current !== undefined) {
    const ours = sizesIn(current);
    if (ours.length === 0) return ours;
    const { code, stderr } = await host.run({ argv: [...argv, '-t'], signal: ctx.signal });
    const { complaint } = readNginxTest(code, stderr);
    return ours.filter((name) => !complaint?.message.startsWith(`"${name}" directive is duplicate`));
  }
  const theirs = new Set<SizeDirective>();
  const onLine = (_stream: string, line: string): void => {
    for (const name of sizesIn(line)) theirs.add(name);
  };
  // The dump of a host with many sites is long: it is read line by line and not kept.
  await host.run({ argv: [...argv, '-T'], onLine, maxOutput: 4096, signal: ctx.signal });
  return SIZE_DIRECTIVES.filter((name) => !theirs.has(name));
}
