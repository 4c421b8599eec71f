// Recovery: a server whose certificate has expired proves that it was its own, and gets another. Reachable without a
// certificate, so everything here is bounded before it costs anything.
import { verify, X509Certificate } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { RecoverRequest, RecoverResponse } from '../../shared/gen/aegir/v1/agent.ts';
import { recoveryProof } from '../../shared/recovery.ts';
import { serverIdOfCertificate } from '../ca/peer.ts';
import { type IssueAgainDeps, issueAgain } from './issue-again.ts';

const MAX_PEM = 8 * 1024;
const MAX_SIGNATURE = 1024;
/** Longer away than this, and the host joins again: whoever finds an old backup of its key shall not be let in. */
const WITHIN_MS = 90 * 24 * 3_600_000;

export async function recover(deps: IssueAgainDeps, request: RecoverRequest): Promise<RecoverResponse> {
  const refuse = (why: string, code: 'unauthenticated' | 'permission_denied' = 'unauthenticated'): never => {
    throw new AegirError(code, `cannot recover the certificate: ${why}; let the host join again, with --again`);
  };
  const { certificatePem, csrPem, signature } = request;
  if (certificatePem.length > MAX_PEM || csrPem.length > MAX_PEM || signature.length > MAX_SIGNATURE) {
    throw new AegirError('invalid_argument', 'cannot recover the certificate: the request is too long');
  }
  const certificate = readable(certificatePem) ?? refuse('what was shown is none');
  const authority = new X509Certificate(deps.authority.caPem);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    refuse('what was shown is not of this master');
  }
  const serverId = serverIdOfCertificate(certificate) ?? refuse("what was shown is not a server's");
  const serial = certificate.serialNumber.toLowerCase();
  const record = await deps.store.certificates.get(serial);
  const server = await deps.store.servers.get(serverId);
  if (record === undefined || record.serverId !== serverId || (server === undefined && record.revokedAt === null)) {
    return refuse('this master does not know it');
  }
  if (!verify('sha256', recoveryProof(csrPem), certificate.publicKey, signature)) {
    refuse('the signature is not by its key');
  }
  if (server === undefined) return refuse('its server was removed', 'permission_denied');
  if (server.state === 'revoked' || record.revokedAt !== null)
    refuse(`${server.name} was revoked`, 'permission_denied');
  if (record.notAfter < deps.now() - WITHIN_MS) refuse('it expired more than 90 days ago');
  const issued = await issueAgain(deps, 'recover the certificate', serverId, csrPem, serial);
  return { certificatePem: issued.pem, caPem: deps.authority.caPem };
}

function readable(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
