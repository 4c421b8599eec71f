// The master's own certificate authority: its key and certificate on disk, and what it issues.
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sha256Hex } from '../../shared/digest.ts';
import { AegirError } from '../../shared/error.ts';
import { serverIdentity } from '../../shared/identity.ts';
import { createPrivate, privateDirectory, readPrivate } from './durable-file.ts';
import { buildCertificate } from './forge.ts';
import { type IssuedCertificate, type Issuer, issue, newSerial, signRsa, spki } from './issue.ts';
import { keyOfRequest } from './request.ts';

export interface OwnCertificateOrder {
  /** URI SAN, for example aegir://master. */
  readonly identity: string;
  readonly publicKey: KeyObject;
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly clientAuth: boolean;
  readonly lifeMs: number;
}

export interface Authority {
  /** Certificates to trust, PEM. */
  readonly caPem: string;
  /** 'sha256:HEX' of the authority's key (SPKI, DER): what agents are told to trust before they join. */
  caPin(): string;
  /**
   * A certificate for the agent of a server, for 24 hours. Only the key of the request is used. The caller keeps the
   * serial in the store: a serial that is not there opens nothing.
   */
  issueServer(serverId: string, csrPem: string): Promise<IssuedCertificate>;
  /** For daemons of the master itself. */
  issueOwn(order: OwnCertificateOrder): Promise<IssuedCertificate>;
}

export interface AuthorityOptions {
  /** Made with mode 0700 when it is not there. Holds ca.key and ca.crt. */
  readonly dir: string;
  readonly now: () => number;
}

const KEY_BITS = 3072;
const NAME = 'Aegir authority';
const HOUR_MS = 3_600_000;
const BACKDATE_MS = 5 * 60_000; // for agents whose clock is behind
const SERVER_LIFE_MS = 24 * HOUR_MS;

/** Loads the authority, or creates it. A crash anywhere in between is mended by the next call. */
export async function openAuthority({ dir, now }: AuthorityOptions): Promise<Authority> {
  await privateDirectory(dir);
  const keyPath = join(dir, 'ca.key');
  const certificatePath = join(dir, 'ca.crt');
  if ((await readPrivate(keyPath)) === undefined) {
    if ((await readPrivate(certificatePath)) !== undefined) {
      throw new AegirError(
        'data_loss',
        `cannot open the authority: ${certificatePath} is there and its key ${keyPath} is gone; restore it from a backup`,
      );
    }
    await createPrivate(keyPath, await newKeyPem(KEY_BITS));
  }
  const key = createPrivateKey((await readPrivate(keyPath)) ?? '');
  if ((await readPrivate(certificatePath)) === undefined) {
    await createPrivate(certificatePath, await selfSigned(key, now()));
  }
  const caPem = ((await readPrivate(certificatePath)) ?? '').toString();
  const issuer: Issuer = { certificate: new X509Certificate(caPem), key, name: NAME };
  if (!issuer.certificate.checkPrivateKey(key)) {
    throw new AegirError(
      'data_loss',
      `cannot open the authority: ${keyPath} is not the key of ${certificatePath}; restore both from one backup`,
    );
  }

  return {
    caPem,
    caPin: () => `sha256:${sha256Hex(spki(issuer.certificate.publicKey))}`,
    async issueServer(serverId, csrPem) {
      const publicKey = await keyOfRequest(csrPem);
      return issue(issuer, {
        commonName: serverId,
        publicKey,
        leaf: { uri: serverIdentity(serverId), dns: [], ips: [], serverAuth: false, clientAuth: true },
        notBefore: now() - BACKDATE_MS,
        notAfter: now() + SERVER_LIFE_MS,
      });
    },
    issueOwn: ({ identity, publicKey, dns, ips, clientAuth, lifeMs }) =>
      issue(issuer, {
        commonName: identity,
        publicKey,
        leaf: { uri: identity, dns, ips, serverAuth: true, clientAuth },
        notBefore: now() - BACKDATE_MS,
        notAfter: now() + lifeMs,
      }),
  };
}

export async function newKeyPem(bits: number): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function selfSigned(key: KeyObject, now: number): Promise<string> {
  const publicKey = spki(createPublicKey(key));
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + 10);
  const unsigned = buildCertificate({
    serial: newSerial(),
    commonName: NAME,
    issuerName: NAME,
    publicKeyDer: publicKey,
    issuerKeyDer: publicKey,
    notBefore: new Date(now - HOUR_MS),
    notAfter,
  });
  const pem = unsigned.withSignature(await signRsa(unsigned.toSign, key));
  const certificate = new X509Certificate(pem);
  if (!certificate.ca || !certificate.checkIssued(certificate) || !certificate.verify(certificate.publicKey)) {
    throw new AegirError('internal', 'cannot create the authority: what was built is no authority');
  }
  return pem;
}
