// Judges certificate requests: only the key of one is ever used, and only when its sender proved to hold it.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { AegirError } from '../../shared/error.ts';
import { readRequest } from './forge.ts';

const MAX_BYTES = 8 * 1024;
const MIN_BITS = 2048;
const MAX_BITS = 4096;
const EXPONENT = 65_537n;

/** The key of a PKCS#10 request. Throws invalid_argument for anything that is not as agents make it. */
export async function keyOfRequest(pem: string): Promise<KeyObject> {
  if (Buffer.byteLength(pem) > MAX_BYTES) throw refused(`it is longer than ${MAX_BYTES} bytes`);
  let parts: ReturnType<typeof readRequest>;
  let key: KeyObject;
  try {
    parts = readRequest(pem);
    key = createPublicKey({ key: parts.publicKeyDer, format: 'der', type: 'spki' });
  } catch (cause) {
    throw refused('it is no PKCS#10 request, PEM, of an RSA key, signed with SHA-256', cause);
  }
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== 'rsa' || modulusLength < MIN_BITS || modulusLength > MAX_BITS) {
    throw refused(`its key must be RSA of ${MIN_BITS} to ${MAX_BITS} bits`);
  }
  // Other exponents buy nothing and make every verification as slow as their sender likes.
  if (publicExponent !== EXPONENT) throw refused(`its key must have the public exponent ${EXPONENT}`);
  const proved = await promisify(verify)(parts.hash, parts.signed, key, parts.signature).catch(() => false);
  if (!proved) throw refused('its signature is not by its key');
  return key;
}

function refused(why: string, cause?: unknown): AegirError {
  return new AegirError('invalid_argument', `cannot use the certificate request: ${why}`, { cause });
}
