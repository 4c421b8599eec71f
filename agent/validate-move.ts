// Checks of what is asked of an agent while a database moves as its site goes on.
import { isIP } from 'node:net';
import type { CloseReplicaRequest, FollowRequest, OpenReplicaRequest } from '../shared/gen/aegir/v1/move.ts';
import type { DbSpec, ServiceRef } from '../shared/gen/aegir/v1/spec.ts';
import { checkDbSpec, checkPosition, checkService, present, refuse } from './validate-spec.ts';

export interface ReplicaRequests {
  openReplica: {
    readonly service: ServiceRef;
    readonly db: DbSpec;
    readonly follower: { readonly addresses: readonly string[]; readonly password: string };
    readonly preview: boolean;
  };
  follow: {
    readonly service: ServiceRef;
    readonly db: DbSpec;
    readonly leader: { readonly address: string; readonly port: number; readonly password: string };
    readonly verb: FollowVerb;
    readonly position: string;
  };
  closeReplica: { readonly service: ServiceRef; readonly db: DbSpec };
}

export type FollowVerb = 'start' | 'status' | 'stop';

const VERBS: readonly string[] = ['start', 'status', 'stop'] satisfies readonly FollowVerb[];
const MAX_ADDRESSES = 100;

export function checkOpenReplica(request: OpenReplicaRequest, serverId: string): ReplicaRequests['openReplica'] {
  const { followerAddresses: addresses, preview } = request;
  if (addresses.length > MAX_ADDRESSES) refuse('follower_addresses', `takes ${MAX_ADDRESSES} addresses at most`);
  for (const address of addresses) checkAddress(address, 'follower_addresses');
  if ((addresses.length === 0) !== (request.password === '')) refuse('password', 'must be there for addresses alone');
  const password = request.password === '' ? '' : checkedPassword(request.password);
  return { ...database(request, serverId), follower: { addresses, password }, preview };
}

export function checkFollow(request: FollowRequest, serverId: string): ReplicaRequests['follow'] {
  const { address, port, verb, position } = request;
  const isByParts = address === '';
  if (!isByParts) checkAddress(address, 'address');
  if (isByParts ? port !== 0 : port < 1 || port > 65_535) refuse('port', 'is no port');
  if (isByParts !== (request.password === '')) refuse('password', 'must be there for an address alone');
  if (!VERBS.includes(verb)) refuse('verb', 'is none of start, status, stop');
  checkPosition(position, 'position');
  const leader = { address, port, password: isByParts ? '' : checkedPassword(request.password) };
  return { ...database(request, serverId), leader, verb: verb as FollowVerb, position };
}

export function checkCloseReplica(request: CloseReplicaRequest, serverId: string): ReplicaRequests['closeReplica'] {
  return database(request, serverId);
}

function database(
  request: { readonly service?: ServiceRef | undefined; readonly db?: DbSpec | undefined },
  serverId: string,
): { readonly service: ServiceRef; readonly db: DbSpec } {
  const service = present(request.service, 'service');
  checkService(service, serverId);
  if (service.type !== 'db') refuse('service.type', 'must be db');
  return { service, db: checkDbSpec(present(request.db, 'db')) };
}

function checkAddress(address: string, field: string): void {
  if (isIP(address) === 0 || address.includes('%')) refuse(field, 'has something that is no IP address');
}

/** Of the master's making; servers keep it in SQL and in files of their own. */
function checkedPassword(password: string): string {
  if (/^[A-Za-z0-9._~-]{16,64}$/.test(password)) return password;
  return refuse('password', 'needs 16 to 64 letters, digits and ._~-');
}
