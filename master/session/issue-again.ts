// A new certificate for a server that has one, kept in the store before anybody gets it.
import { AegirError } from '../../shared/error.ts';
import type { Authority } from '../ca/authority.ts';
import type { IssuedCertificate } from '../ca/issue.ts';
import type { Store } from '../store/store.ts';

export interface IssueAgainDeps {
  readonly store: Store;
  readonly authority: Authority;
  now(): number;
}

/**
 * keep: serial of the certificate that the caller has, which stays known until another was in use: what we answer may
 * get lost. Throws permission_denied when the server is revoked.
 */
export async function issueAgain(
  deps: IssueAgainDeps,
  doing: string,
  serverId: string,
  csrPem: string,
  keep: string,
): Promise<IssuedCertificate> {
  const certificate = await deps.authority.issueServer(serverId, csrPem);
  await deps.store.transaction(async (tx) => {
    const server = await tx.servers.get(serverId);
    // It may have been revoked while we signed.
    if (server === undefined || server.state === 'revoked') {
      throw new AegirError('permission_denied', `cannot ${doing}: the server was revoked`);
    }
    for (const old of await tx.certificates.find({ serverId })) {
      if (old.notAfter <= deps.now() && old.id !== keep) await tx.certificates.delete(old.id);
    }
    await tx.certificates.insert({ id: certificate.serial, serverId, notAfter: certificate.notAfter, revokedAt: null });
    await tx.servers.update(serverId, { certificateExpiresAt: certificate.notAfter });
  });
  return certificate;
}
