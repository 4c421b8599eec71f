// Renewal: a new certificate for the identity the caller has, whatever its request says.
import { AegirError } from '../../shared/error.ts';
import type { RenewRequest, RenewResponse } from '../../shared/gen/aegir/v1/agent.ts';
import type { Authority } from '../ca/authority.ts';
import type { Peer } from '../ca/peer.ts';
import type { Store } from '../store/store.ts';
import { createRateLimit } from './rate-limit.ts';

export interface RenewDeps {
  readonly store: Store;
  readonly authority: Authority;
  now(): number;
}

const BURST = 10;
const PER_SECOND = 1 / 60;

export function createRenew(deps: RenewDeps): (peer: Peer, request: RenewRequest) => Promise<RenewResponse> {
  const limit = createRateLimit({ burst: BURST, perSecond: PER_SECOND, now: deps.now });
  return async (peer, request) => {
    if (!limit.take(peer.serverId)) {
      throw new AegirError('resource_exhausted', 'cannot renew the certificate: too many tries; wait a minute', {
        retryable: true,
      });
    }
    const certificate = await deps.authority.issueServer(peer.serverId, request.csrPem);
    await deps.store.transaction(async (tx) => {
      const server = await tx.servers.get(peer.serverId);
      // It may have been revoked while we signed.
      if (server === undefined || server.state === 'revoked') {
        throw new AegirError('permission_denied', 'cannot renew the certificate: the server was revoked');
      }
      for (const old of await tx.certificates.find({ serverId: peer.serverId })) {
        if (old.notAfter <= deps.now()) await tx.certificates.delete(old.id);
      }
      await tx.certificates.insert({
        id: certificate.serial,
        serverId: peer.serverId,
        notAfter: certificate.notAfter,
        revokedAt: null,
      });
      await tx.servers.update(peer.serverId, { certificateExpiresAt: certificate.notAfter });
    });
    return { certificatePem: certificate.pem, caPem: deps.authority.caPem };
  };
}
