// What PostgreSQL keeps of a password (RFC 5802, RFC 7677; the form of pg_authid.rolpassword): made here, so that the
// server never sees the password, and compared here.
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { AegirError } from '../../../../shared/error.ts';

/** The server's own default. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
/** More would let a stored text keep the agent busy for minutes. */
const MOST_ITERATIONS = 1_000_000;
const FORM = /^SCRAM-SHA-256\$([0-9]{1,7}):([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*)$/;

/** Characters that RFC 4013 maps away or to a space though normal form KC leaves them. */
const MAPPED =
  /\u034f|\u180b|\u180c|\u180d|\p{Variation_Selector}|[\u00ad\u1680\u1806\u200b\u2060\ufeff]|\u200c|\u200d/u;

export function scramVerifier(password: string, salt: Uint8Array = randomBytes(SALT_BYTES)): string {
  return rendered(prepared(password), salt, ITERATIONS);
}

/** Whether what the server keeps is of this password, whatever its salt. */
export function isOfPassword(stored: string, password: string): boolean {
  const [, count, salt] = FORM.exec(stored) ?? [];
  const iterations = Number(count);
  if (salt === undefined || iterations < 1 || iterations > MOST_ITERATIONS) return false;
  const wanted = Buffer.from(rendered(prepared(password), Buffer.from(salt, 'base64'), iterations));
  const found = Buffer.from(stored);
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}

export function isScram(stored: string): boolean {
  return FORM.test(stored);
}

function rendered(password: string, salt: Uint8Array, iterations: number): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`;
}

/**
 * SASLprep (RFC 4013) leaves a text without mapped characters that is in normal form KC as it is; where it refuses one,
 * client and server both take it as it is. Others are refused: passwords are made by us, and have none of that.
 */
function prepared(password: string): string {
  if (!MAPPED.test(password) && password.normalize('NFKC') === password) return password;
  throw new AegirError(
    'invalid_argument',
    'cannot use a password whose characters PostgreSQL would change: choose another one',
  );
}
