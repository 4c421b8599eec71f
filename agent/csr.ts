// Keys and certificate requests. The only file that knows node-forge, which is loaded only when one is made: it is a
// good part of the agent's memory and needed once in hours.
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

const KEY_BITS = 2048;

export interface KeyAndRequest {
  readonly keyPem: string;
  /** PKCS#10, PEM. */
  readonly csrPem: string;
}

/** A new RSA key (by node:crypto: native) and a request for it. The subject is only for people: masters ignore it. */
export async function createKeyAndRequest(commonName: string): Promise<KeyAndRequest> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS });
  const keyPem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { default: forge } = await import('node-forge');
  const request = forge.pki.createCertificationRequest();
  request.publicKey = forge.pki.publicKeyFromPem(pair.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  request.setSubject([{ name: 'commonName', value: commonName.slice(0, 64) }]);
  request.sign(forge.pki.privateKeyFromPem(keyPem), forge.md.sha256.create());
  return { keyPem, csrPem: forge.pki.certificationRequestToPem(request) };
}
