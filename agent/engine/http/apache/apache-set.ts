// Apache as a set of configuration files: where it listens for sites, how it is tested, how it tells what it has loaded.
import type { Daemon, Host } from '../../../host/host.ts';
import type { ConfigSet } from '../config/config-set.ts';
import { askGeneration } from '../config/status.ts';
import type { Listening } from '../virtual-host.ts';
import { renderApacheBase } from './base.ts';
import { readApacheTest } from './complaint.ts';
import { nobodyPath } from './nobody.ts';
import { readCertificates, unfitPair } from './pairs.ts';
import { conflicts, conflictWarnings, readVirtualHosts } from './virtual-hosts.ts';

export const BASE_FILE = 'aegir-00-http.conf';
/** The list of virtual hosts of a server with many sites is long, and without its beginning it says nothing. */
const MOST_DUMP = 64 * 1024 * 1024;

export function createApacheSet(host: Host, daemon: Daemon): ConfigSet {
  const base = { listening: listeningOf(host, daemon), nobody: nobodyPath(daemon) };
  return {
    host,
    daemon,
    label: 'Apache',
    baseFile: BASE_FILE,
    renderBase: (manifest, generation) => renderApacheBase(base, manifest, generation),
    async test(ctx) {
      const argv = [
        daemon.program,
        ...daemon.configArguments,
        '-t',
        ...['-D', 'DUMP_VHOSTS'],
        ...['-D', 'DUMP_CERTS'],
      ] as const;
      const { code, stdout, stderr } = await host.run({ argv, signal: ctx.signal, maxOutput: MOST_DUMP });
      const { complaint, warnings } = readApacheTest(code, stderr);
      if (complaint !== undefined) return { complaint, warnings };
      const unfit = await unfitPair(readCertificates(stdout), host.files, daemon.includeDir);
      if (unfit !== undefined) return { complaint: unfit, warnings };
      const ports = [daemon.port, ...(daemon.tlsPort === undefined ? [] : [daemon.tlsPort])];
      const hosts = readVirtualHosts(stdout);
      const found = ports.flatMap((port) => conflicts(hosts, daemon.includeDir, port));
      return { complaint, warnings: [...warnings, ...conflictWarnings(found)] };
    },
    loadedGeneration: () => askGeneration(localAddresses(daemon), daemon.port),
  };
}

export function listeningOf(host: Host, daemon: Daemon): Listening {
  return {
    addresses: host.kind === 'systemd' ? [] : daemon.addresses,
    port: daemon.port,
    tlsPort: daemon.tlsPort,
    ipv6: true,
  };
}

/** Where this host reaches its own Apache. */
function localAddresses(daemon: Daemon): readonly string[] {
  const local: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return daemon.addresses.map((address) => local[address] ?? address);
}
