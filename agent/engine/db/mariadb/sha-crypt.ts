// What MySQL keeps of a password for caching_sha2_password: SHA-crypt (Drepper, "Unix crypt using SHA-256", 2008) with a
// salt of twenty bytes, in the form $A$ROUNDS$SALT DIGEST.
import { createHash, randomInt } from 'node:crypto';

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SALT_BYTES = 20;
/** In thousands, as three hexadecimal digits. */
const ROUNDS = 5;
/** More would let a stored text keep the agent busy for minutes. */
const MOST_ROUNDS = 100;

const sha = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** text over and over, up to so many bytes. */
function filled(text: Buffer, length: number): Buffer {
  return Buffer.alloc(length, text);
}

export function shaCrypt(password: Buffer, salt: Buffer, rounds: number): string {
  const inner = sha(password, salt, password);
  const bits: Buffer[] = [];
  for (let left = password.length; left > 0; left >>= 1) bits.push((left & 1) === 1 ? inner : password);
  let digest = sha(password, salt, filledOrNone(inner, password.length), ...bits);
  const p = filledOrNone(sha(...Array<Buffer>(password.length).fill(password)), password.length);
  const s = filled(sha(...Array<Buffer>(16 + (digest[0] ?? 0)).fill(salt)), salt.length);
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    const middle = [...(round % 3 === 0 ? [] : [s]), ...(round % 7 === 0 ? [] : [p])];
    digest = odd ? sha(p, ...middle, digest) : sha(digest, ...middle, p);
  }
  return encoded(digest);
}

function filledOrNone(text: Buffer, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : filled(text, length);
}

/** Its own order of bytes and its own base 64. */
function encoded(digest: Buffer): string {
  const at = (index: number): number => digest[index] ?? 0;
  let text = '';
  const put = (value: number, characters: number): void => {
    let rest = value;
    for (let i = 0; i < characters; i++) {
      text += ALPHABET[rest & 63];
      rest >>= 6;
    }
  };
  let [a, b, c] = [0, 10, 20];
  for (let i = 0; i < 10; i++) {
    put((at(a) << 16) | (at(b) << 8) | at(c), 4);
    [a, b, c] = [(c + 1) % 30, (a + 1) % 30, (b + 1) % 30];
  }
  put((at(31) << 8) | at(30), 3);
  return text;
}

/** ASCII without $, quotes and backslashes. */
export function cachingSha2(password: string): string {
  const salt = Array.from({ length: SALT_BYTES }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return `$A$${ROUNDS.toString(16).padStart(3, '0')}$${salt}${shaCrypt(Buffer.from(password), Buffer.from(salt), ROUNDS * 1000)}`;
}

/** stored: as the server has it, in hexadecimal, for a salt may be any bytes. */
export function isCachingSha2Of(stored: string, password: string): boolean {
  const bytes = Buffer.from(stored, 'hex');
  const [, rounds] = /^\$A\$([0-9A-Fa-f]{3})\$$/.exec(bytes.subarray(0, 7).toString('latin1')) ?? [];
  const thousands = Number.parseInt(rounds ?? '0', 16);
  if (thousands < 1 || thousands > MOST_ROUNDS) return false;
  const salt = bytes.subarray(7, 7 + SALT_BYTES);
  const digest = bytes.subarray(7 + SALT_BYTES).toString('latin1');
  return digest === shaCrypt(Buffer.from(password), salt, thousands * 1000);
}
