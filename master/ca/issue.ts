// Makes one certificate under the authority, and judges it anew with node:crypto before anybody gets it.
import { type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { AegirError } from '../../shared/error.ts';
import { buildCertificate, type LeafFields } from './forge.ts';

export interface IssuedCertificate {
  /** PEM of the certificate alone. */
  readonly pem: string;
  /** Lower-case hex, as in CertificateRecord. */
  readonly serial: string;
  /** ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Issuer {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  readonly name: string;
}

export interface IssueOrder {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly leaf: LeafFields;
  /** ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** 128 bits; the first ones are fixed so that the number is positive and always prints as 32 digits. */
export function newSerial(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial.toString('hex');
}

export async function issue(issuer: Issuer, order: IssueOrder): Promise<IssuedCertificate> {
  const { commonName, publicKey, leaf } = order;
  const serial = newSerial();
  // Certificates count in seconds; nothing may outlive the authority.
  const notBefore = Math.max(toSecond(order.notBefore), issuer.certificate.validFromDate.getTime());
  const notAfter = Math.min(toSecond(order.notAfter), issuer.certificate.validToDate.getTime());
  if (notAfter <= notBefore) {
    throw new AegirError(
      'failed_precondition',
      `cannot issue a certificate: the authority ended on ${issuer.certificate.validTo}; check the clock`,
    );
  }
  const unsigned = buildCertificate({
    serial,
    commonName,
    issuerName: issuer.name,
    publicKeyDer: spki(publicKey),
    issuerKeyDer: spki(issuer.certificate.publicKey),
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    leaf,
  });
  const pem = unsigned.withSignature(await signRsa(unsigned.toSign, issuer.key));
  check(issuer, order, pem, serial, notBefore, notAfter);
  return { pem, serial, notBefore, notAfter };
}

export function signRsa(data: Buffer, key: KeyObject): Promise<Buffer> {
  // With a callback node:crypto signs in a thread of its own: many enrolments at once must not stop the streams.
  return promisify(sign)('sha256', data, key);
}

/** What forge built is judged as a peer will judge it: a bug there must not become an identity. */
function check(
  issuer: Issuer,
  order: IssueOrder,
  pem: string,
  serial: string,
  notBefore: number,
  notAfter: number,
): void {
  const certificate = new X509Certificate(pem);
  const usages = [...(order.leaf.serverAuth ? [SERVER_AUTH] : []), ...(order.leaf.clientAuth ? [CLIENT_AUTH] : [])];
  const checks: Record<string, boolean> = {
    issuer: certificate.checkIssued(issuer.certificate),
    signature: certificate.verify(issuer.certificate.publicKey),
    key: spki(certificate.publicKey).equals(spki(order.publicKey)),
    'not an authority': !certificate.ca,
    serial: certificate.serialNumber.toLowerCase() === serial,
    validity: certificate.validFromDate.getTime() === notBefore && certificate.validToDate.getTime() === notAfter,
    usage: sameSet(certificate.keyUsage ?? [], usages),
    names: sameNames(certificate, order.leaf),
  };
  const wrong = Object.keys(checks).filter((name) => !checks[name]);
  if (wrong.length > 0) {
    throw new AegirError('internal', `cannot issue a certificate: what was built is wrong in ${wrong.join(', ')}`);
  }
}

function sameNames(certificate: X509Certificate, leaf: LeafFields): boolean {
  const names = (certificate.subjectAltName ?? '').split(', ');
  const never = { subject: 'never', wildcards: false, partialWildcards: false } as const;
  return (
    names.length === 1 + leaf.dns.length + leaf.ips.length &&
    names[0] === `URI:${leaf.uri}` &&
    leaf.dns.every((name) => certificate.checkHost(name, never) !== undefined) &&
    leaf.ips.every((ip) => isIP(ip) !== 0 && certificate.checkIP(ip) !== undefined)
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

function toSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
