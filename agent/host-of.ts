// The host that the configuration names, and what can be said of it without starting anything.
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { AgentConfig } from './config.ts';
import { createEmbeddedHost } from './host/embedded/host.ts';
import { createFiles } from './host/files.ts';
import type { Files, Host, HostIdentity } from './host/host.ts';
import { interfaceAddresses, readIdentity } from './host/identity.ts';
import { ourselves } from './host/process.ts';
import { createSystemdHost } from './host/systemd/host.ts';

export async function createHost(config: AgentConfig, log: Logger): Promise<Host> {
  if (config.host.kind === 'systemd') return createSystemdHost();
  return createEmbeddedHost({ ...config.host, note: (level, text) => log[level]({ part: 'host' }, text) });
}

/** For enrolment: an embedded host's daemons need not run for it. */
export async function identityOf(config: AgentConfig): Promise<HostIdentity> {
  if (config.host.kind === 'embedded') {
    const { hostname: name, address } = config.host;
    return readIdentity({ hostname: name, addresses: [address], sourceAddresses: [address] });
  }
  const addresses = interfaceAddresses();
  return readIdentity({ hostname: hostname(), addresses, sourceAddresses: addresses });
}

/** Files of the agent itself: its own, also where the host's files belong to a run user. */
export function ownFiles(): Files {
  return createFiles(async () => ourselves());
}
