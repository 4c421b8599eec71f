// Where a database server listens: whether others than its own host can reach it there.
import { isIP } from 'node:net';

/** A list as servers are configured with it: empty and "*" are all addresses. */
export function isLoopback(bind: string): boolean {
  return bind.split(',').every((part) => {
    const address = part.trim();
    return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
  });
}
