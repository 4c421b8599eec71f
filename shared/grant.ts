// What is signed of a grant, what a probe's bytes are: the two things that the master and both agents must agree on.
import { createCipheriv, createHash } from 'node:crypto';

/** The key signs other things too (JWTs of the mesh): what begins like this is a grant and nothing else. */
const PURPOSE = 'aegir grant 1\n';

/** body: an encoded GrantBody. */
export function grantText(body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(PURPOSE), body]);
}

/** Kind of the object that exists only to be sent. */
export const PROBE_KIND = 'probe';
export const MAX_PROBE_BYTES = 1024 ** 3;
const CIPHER_BLOCK = 16;

/** A probe's name in its grant: what its bytes are made of, and how many there are. */
export function probeName(seed: string, size: number): string {
  return `${seed}:${size}`;
}

export function parseProbeName(name: string): { readonly seed: string; readonly size: number } | undefined {
  const [, seed = '', digits = ''] = /^([0-9a-f]{32}):([1-9][0-9]{0,9})$/.exec(name) ?? [];
  const size = Number(digits);
  return seed === '' || size > MAX_PROBE_BYTES ? undefined : { seed, size };
}

/** Bytes that no network can compress, from any place on. offset is a multiple of 16. */
export function probeBytes(seed: string, offset: number, length: number): Uint8Array {
  const counter = Buffer.alloc(CIPHER_BLOCK);
  counter.writeBigUInt64BE(BigInt(offset / CIPHER_BLOCK), 8);
  return createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), counter).update(
    Buffer.alloc(length),
  );
}

const STRIDE = 4 * 1024 * 1024;

export function probeDigest(seed: string, size: number): Uint8Array {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += STRIDE) hash.update(probeBytes(seed, at, Math.min(STRIDE, size - at)));
  return hash.digest();
}
