// Diagnosis: whether the host finds itself by its own name; mail, databases and PHP stumble when it doesn't.
import { lookup } from 'node:dns/promises';
import type { Finding } from '../../shared/finding.ts';
import type { HostIdentity } from '../host/host.ts';

const subject = 'name';
const code = 'name.lookup';

export async function checkOwnName({ hostname, addresses }: HostIdentity): Promise<Finding> {
  const advice = 'add it to /etc/hosts or to DNS';
  try {
    const found = (await lookup(hostname, { all: true })).map((each) => each.address);
    const ours = found.some((address) => addresses.includes(address) || isLoopback(address));
    if (ours) return { subject, code, level: 'ok', text: `${hostname} is ${found.join(', ')}` };
    const text = `${hostname} leads to ${found.join(', ')}, none of which is this host's (${addresses.join(', ')})`;
    return { subject, code, level: 'warning', text, advice };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    return { subject, code, level: 'warning', text: `${hostname} cannot be looked up (${why})`, advice };
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
