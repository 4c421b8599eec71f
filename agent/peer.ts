// Whether a certificate says that its holder is who we mean: URI SANs of our own authority, no host names.
import type { PeerCertificate } from 'node:tls';
import { MASTER_IDENTITY } from '../shared/identity.ts';

/** True when the subject alternative names (as Node prints them) hold exactly this URI. */
export function hasIdentity(subjectAltName: string | undefined, uri: string): boolean {
  // Node quotes a name that could be mistaken for the end of another; a quoted one never equals ours.
  return (subjectAltName ?? '').split(', ').includes(`URI:${uri}`);
}

/**
 * For TLS clients in place of the host name check: whoever our authority calls master is one, at any address, and
 * an agent's certificate of the same authority is not.
 */
export function checkMasterIdentity(_host: string, certificate: PeerCertificate): Error | undefined {
  if (hasIdentity(certificate.subjectaltname, MASTER_IDENTITY)) return undefined;
  return new Error('its certificate is not that of a master');
}
