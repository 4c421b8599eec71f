// Keys and self-signed certificates for sites, to be served over TLS until an authority has given another. Loaded when
// first needed: the library is large, and a master without HTTPS sites does without.
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';

export interface MadeCertificate {
  /** PEM, the site's own first. */
  readonly chainPem: string;
  /** PKCS#8, PEM. Secret. */
  readonly keyPem: string;
}

export interface CertificateFacts {
  readonly names: readonly string[];
  /** ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
}

const LIFE_MS = 365 * 86_400_000;
const BACKDATE_MS = 3_600_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** For these DNS names; a new key each time. */
export async function makeSelfSigned(names: readonly string[], now: number): Promise<MadeCertificate> {
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [name = ''] = names;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // RFC 5280: at most 64 characters; the names that count stand in the extension.
    name: [{ CN: [name.slice(0, 64)] }],
    serialNumber: `4${randomBytes(15).toString('hex')}`,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + LIFE_MS),
    signingAlgorithm: ALGORITHM,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const keyPem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' });
  return { chainPem: `${certificate.toString('pem').trim()}\n`, keyPem: keyPem.toString() };
}

/**
 * What a certificate of somebody's says, after all is checked that a web server would stumble over. Throws Error with a
 * reason for people.
 */
export function judgeCertificate(chainPem: string, keyPem: string): CertificateFacts {
  const blocks = chainPem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const [own, ...others] = blocks.map((block) => new X509Certificate(block));
  if (own === undefined) throw new Error('there is no certificate, PEM, in it');
  if (blocks.length > 10) throw new Error('there are more than ten certificates in it');
  if (!own.checkPrivateKey(createPrivateKey(keyPem))) throw new Error('the key is not that of the first certificate');
  let child = own;
  for (const parent of others) {
    if (!child.checkIssued(parent)) throw new Error('the certificates are not in order, each issued by the next');
    child = parent;
  }
  const names = (own.subjectAltName ?? '')
    .split(', ')
    .flatMap((name) => (name.startsWith('DNS:') ? [name.slice('DNS:'.length).toLowerCase()] : []));
  if (names.length === 0) throw new Error('it names no host (subjectAltName)');
  return {
    names,
    notBefore: own.validFromDate.getTime(),
    notAfter: own.validToDate.getTime(),
    issuer: /^(?:O|CN)=(.+)$/m.exec(own.issuer)?.[1] ?? own.issuer,
  };
}
