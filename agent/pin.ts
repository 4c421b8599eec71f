// Before the join token is shown to anybody: is the other end the master whose authority we were told (the CA pin)?
// A throw-away TLS connection fetches the chain; what it proves is used as the only root of the real call.
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { sameSecret, sha256Hex } from '../shared/digest.ts';
import { AegirError } from '../shared/error.ts';
import { MASTER_IDENTITY } from '../shared/identity.ts';
import type { Address } from './identity.ts';
import { hasIdentity } from './peer.ts';

const TIMEOUT_MS = 15_000;
const MAX_CHAIN = 10;

/** sha256:… as the master prints it; throws unless it has that form. */
export function parsePin(text: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(text.trim().toLowerCase());
  if (match?.[1] !== undefined) return match[1];
  throw new AegirError(
    'invalid_argument',
    'cannot use that CA pin: it must be sha256: and 64 hexadecimal digits, as `aegir server join-command` prints it',
  );
}

/** SHA-256 of the certificate's public key (SPKI, DER), hexadecimal. */
export function pinOf(certificate: X509Certificate): string {
  return sha256Hex(certificate.publicKey.export({ type: 'spki', format: 'der' }));
}

/** PEM of the pinned authority, after the peer proved to be a master under it. Nothing is sent to the peer but TLS. */
export async function fetchPinnedCa(address: Address, pin: string, now: number): Promise<string> {
  const where = `${address.host}:${address.port}`;
  const chain = await presentedChain(address);
  const refuse = (why: string): never => {
    throw new AegirError('permission_denied', `cannot trust ${where}: ${why}; nothing was sent to it`);
  };
  const ca = chain.find((certificate) => sameSecret(pinOf(certificate), pin));
  if (ca === undefined) {
    const seen = chain.at(-1);
    return refuse(
      `its authority is not the one that the CA pin names (its is ${seen === undefined ? 'unknown' : `sha256:${pinOf(seen)}`}); compare the pin with the master's, somebody may be in between`,
    );
  }
  const leaf = chain[0];
  if (leaf === undefined || leaf === ca) return refuse('it shows an authority where a certificate is needed');
  if (!ca.ca) refuse('what the pin names is no authority');
  if (!leaf.checkIssued(ca) || !leaf.verify(ca.publicKey)) refuse('the pinned authority did not sign its certificate');
  for (const [name, certificate] of [
    ['certificate', leaf],
    ['authority', ca],
  ] as const) {
    if (now < certificate.validFromDate.getTime()) refuse(`its ${name} is not valid yet; check this host's clock`);
    if (now > certificate.validToDate.getTime()) refuse(`its ${name} has expired; check this host's clock`);
  }
  if (!hasIdentity(leaf.subjectAltName, MASTER_IDENTITY)) refuse('its certificate is not that of a master');
  return ca.toString();
}

function presentedChain({ host, port }: Address): Promise<readonly X509Certificate[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly X509Certificate[]>();
  const fail = (why: string, cause?: unknown) =>
    reject(new AegirError('unavailable', `cannot reach the master at ${host}:${port}: ${why}`, { cause }));
  const socket = connect({
    host,
    port,
    // The chain is judged here, by the pin; no secret goes over this connection.
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
  socket.setTimeout(TIMEOUT_MS, () => {
    fail(`no answer within ${TIMEOUT_MS / 1000} s`);
    socket.destroy();
  });
  socket.on('error', (error) => fail(error.message, error));
  socket.on('close', () => fail('it closed the connection'));
  socket.on('secureConnect', () => {
    try {
      resolve(walk(socket.getPeerCertificate(true)));
    } catch (error) {
      fail('its certificate cannot be read', error);
    }
    socket.destroy();
  });
  return promise;
}

function walk(leaf: DetailedPeerCertificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let each: DetailedPeerCertificate | undefined = leaf;
  while (each?.raw !== undefined && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(each.raw));
    if (each.issuerCertificate === each) break;
    each = each.issuerCertificate;
  }
  return chain;
}
