// Diagnosis: whether the host finds itself by its own name; mail, databases and PHP stumble when it doesn't.
import { lookup } from 'node:dns/promises';
import type { Finding } from '../../shared/gen/aegir/v1/agent.ts';
import type { HostIdentity } from '../host/host.ts';

const subject = 'name';

export async function checkOwnName({ hostname, addresses }: HostIdentity): Promise<Finding> {
  const fix = `add it to /etc/hosts or to DNS`;
  try {
    const found = (await lookup(hostname, { all: true })).map((each) => each.address);
    const ours = found.some((address) => addresses.includes(address) || isLoopback(address));
    if (ours) return { subject, level: 'ok', text: `${hostname} is ${found.join(', ')}` };
    const text = `${hostname} leads to ${found.join(', ')}, none of which is this host's (${addresses.join(', ')}); ${fix}`;
    return { subject, level: 'warning', text };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    return { subject, level: 'warning', text: `${hostname} cannot be looked up (${why}); ${fix}` };
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
