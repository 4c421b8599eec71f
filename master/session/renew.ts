// Renewal: a new certificate for the identity the caller has, whatever its request says.
import { AegirError } from '../../shared/error.ts';
import type { RenewRequest, RenewResponse } from '../../shared/gen/aegir/v1/agent.ts';
import type { Peer } from '../ca/peer.ts';
import { type IssueAgainDeps, issueAgain } from './issue-again.ts';
import { createRateLimit } from './rate-limit.ts';

const BURST = 10;
const PER_SECOND = 1 / 60;

export function createRenew(deps: IssueAgainDeps): (peer: Peer, request: RenewRequest) => Promise<RenewResponse> {
  const limit = createRateLimit({ burst: BURST, perSecond: PER_SECOND, now: deps.now });
  return async (peer, request) => {
    if (!limit.take(peer.serverId)) {
      throw new AegirError('resource_exhausted', 'cannot renew the certificate: too many tries; wait a minute', {
        retryable: true,
      });
    }
    const certificate = await issueAgain(deps, 'renew the certificate', peer.serverId, request.csrPem, peer.serial);
    return { certificatePem: certificate.pem, caPem: deps.authority.caPem };
  };
}
