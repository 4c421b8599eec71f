// Keys of the mesh (nkeys: Ed25519, RFC 8032), by Node's own Ed25519: what the library brings for that is JavaScript, 30 times
// slower, and has V8 load its compilers into every agent, 13 MB for two signatures. All else of ours imports nkeys from here.
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { getEd25519Helper, setEd25519Helper } from 'nkeys.js/lib/helper.js';

export { createAccount, createOperator, createUser, fromPublic, fromSeed, type KeyPair } from 'nkeys.js';

/** DER before the 32 bytes of a key: PKCS#8 and SubjectPublicKeyInfo (RFC 8410 sections 7 and 4). */
const PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');
const BYTES = 32;
const SIGNATURE_BYTES = 64;

function der(prefix: Buffer, key: Uint8Array): Buffer {
  if (key.length !== BYTES) throw new Error(`a key of Ed25519 has ${BYTES} bytes, this one ${key.length}`);
  return Buffer.concat([prefix, key]);
}

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: der(PRIVATE, seed), format: 'der', type: 'pkcs8' });
}

setEd25519Helper({
  // Curve keys, which nothing of ours uses, stay the library's.
  ...getEd25519Helper(),
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
  /** The secret key is NaCl's: seed and public key. */
  fromSeed: (seed) => {
    const key = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' });
    const publicKey = new Uint8Array(key.subarray(PUBLIC.length));
    return { publicKey, secretKey: new Uint8Array([...seed, ...publicKey]) };
  },
  sign: (data, secretKey) => new Uint8Array(sign(null, data, privateKey(secretKey.subarray(0, BYTES)))),
  verify: (data, signature, publicKey) => {
    if (signature.length !== SIGNATURE_BYTES) return false;
    const key = createPublicKey({ key: der(PUBLIC, publicKey), format: 'der', type: 'spki' });
    return verify(null, data, key, signature);
  },
});
