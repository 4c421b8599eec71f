// What every db engine calls a site's database and its users, and from where it lets the user in.
import { isIP, SocketAddress } from 'node:net';
import { databaseName, databaseUser } from '../../../shared/database-name.ts';
import { AegirError } from '../../../shared/error.ts';
import type { DbSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { idBody, isId } from '../../../shared/id.ts';

export interface SiteNames {
  readonly database: string;
  readonly user: string;
  /**
   * Has the user's rights on the database and no others, and nobody's password: dumps and restores run as it, where it may
   * be, and it stands for the user in what is defined there, which has to name somebody who is the same on every server.
   */
  readonly deputy: string;
  /** By whom a server that follows the database logs in. */
  readonly follower: string;
}

/** Only names derived from a site id are ours: nothing else is read, changed or dropped. */
export function namesOf(siteId: string): SiteNames {
  if (!isId('site', siteId)) throw new AegirError('invalid_argument', 'cannot name a database: that is no site id');
  return {
    database: databaseName(siteId),
    user: databaseUser(siteId),
    deputy: `d_${idBody(siteId)}`,
    follower: `f_${idBody(siteId)}`,
  };
}

/** Refuses a spec that would have an engine touch what is not that site's. */
export function assertOwnNames(spec: DbSpec): void {
  const names = namesOf(spec.siteId);
  if (spec.database === names.database && spec.user === names.user) return;
  throw new AegirError(
    'invalid_argument',
    `cannot make database ${spec.database}: its name is not that of ${spec.siteId}`,
  );
}

/** What we make accounts for: an address as the server sees it, never a pattern or a name that another may answer for. */
export function allowedHost(host: string): string {
  if (host === 'localhost') return host;
  // In a host "%" is a wildcard, and net.isIP takes it for a zone (fe80::1%eth0).
  if (isIP(host) === 0 || host.includes('%')) {
    throw new AegirError('invalid_argument', `cannot allow ${JSON.stringify(host)}: it is no IP address`);
  }
  if (isIP(host) === 4) return host;
  const { address } = new SocketAddress({ address: host, family: 'ipv6' });
  return address.replace(/^::ffff:(?=[0-9.]+$)/, '');
}
