// Which server is calling: from the client certificate of a gRPC call to a server whose identity is in force now.
import { X509Certificate } from 'node:crypto';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import { serverIdOf } from '../../shared/identity.ts';
import type { CertificateRecord, ServerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';

export interface Peer {
  readonly serverId: string;
  /** Of the certificate it showed. */
  readonly serial: string;
  /** End of that certificate, ms since 1970. */
  readonly notAfter: number;
  readonly server: ServerRecord;
}

export interface PeerDeps {
  readonly store: Pick<Store, 'servers' | 'certificates'>;
  now(): number;
}

/** Throws unauthenticated when there is no identity, permission_denied when it may not call. */
export async function identifyPeer(
  deps: PeerDeps,
  call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>,
): Promise<Peer> {
  // Only there when TLS found the chain to end in our authority.
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) {
    throw new AegirError('unauthenticated', 'cannot answer the call: it needs the certificate of an agent');
  }
  const certificate = new X509Certificate(raw);
  const serverId = serverIdOfCertificate(certificate);
  if (serverId === undefined) {
    throw new AegirError('permission_denied', 'cannot answer the call: its certificate is not that of an agent');
  }
  return confirmPeer(deps, serverId, certificate.serialNumber.toLowerCase());
}

/** Whether an identity is still in force; asked again while a stream stays open. */
export async function confirmPeer(deps: PeerDeps, serverId: string, serial: string): Promise<Peer> {
  const record: CertificateRecord | undefined = await deps.store.certificates.get(serial);
  const server = await deps.store.servers.get(serverId);
  // What is left of a server that was removed.
  if (record?.serverId === serverId && server === undefined && record.revokedAt !== null) {
    throw new AegirError(
      'permission_denied',
      'cannot answer the call: its server was removed; let the host join again',
    );
  }
  if (record === undefined || record.serverId !== serverId || server === undefined) {
    throw new AegirError(
      'unauthenticated',
      'cannot answer the call: this master does not know its certificate; let the host join again',
    );
  }
  if (server.state === 'revoked' || record.revokedAt !== null) {
    throw new AegirError(
      'permission_denied',
      `cannot answer the call: ${server.name} was revoked; let the host join again`,
    );
  }
  if (record.notAfter <= deps.now()) {
    throw new AegirError(
      'unauthenticated',
      `cannot answer the call: the certificate ended at ${new Date(record.notAfter).toISOString()}; let the host join again`,
    );
  }
  return { serverId, serial, notAfter: record.notAfter, server };
}

/** Exactly one name, and that a server's. */
export function serverIdOfCertificate(certificate: X509Certificate): string | undefined {
  const name = certificate.subjectAltName ?? '';
  return name.startsWith('URI:') ? serverIdOf(name.slice('URI:'.length)) : undefined;
}
