// Hashes of passwords as web servers read them: crypt(3) with SHA-512, by OpenSSL, which has it from the system's
// libcrypto. Slower hashes would be asked of the web server with every request, for every picture of a page.
import { spawn } from 'node:child_process';
import { AegirError } from '../../shared/error.ts';
import { isPasswordHash } from '../../shared/http-auth.ts';

const PROGRAM = 'openssl';
const TIMEOUT_MS = 10_000;

/**
 * The password goes by standard input, without line feeds; the salt is OpenSSL's own choice. Throws cancelled, and ends
 * the program, when gone is aborted.
 */
export function hashPassword(password: string, gone?: AbortSignal): Promise<string> {
  const left = (): AegirError => new AegirError('cancelled', 'cannot keep the password: whoever asked has gone');
  if (gone?.aborted === true) return Promise.reject(left());
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string, cause?: unknown): void =>
    reject(new AegirError('failed_precondition', `cannot keep the password: ${why}`, { cause }));
  const child = spawn(PROGRAM, ['passwd', '-6', '-stdin'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: TIMEOUT_MS,
    ...(gone === undefined ? {} : { signal: gone }),
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 1000);
  });
  child.on('error', (cause: NodeJS.ErrnoException) => {
    if (gone?.aborted === true) return reject(left());
    const missing = cause.code === 'ENOENT';
    fail(missing ? 'the master has no openssl; install it there (Debian: apt install openssl)' : cause.message, cause);
  });
  child.on('close', (code, signal) => {
    const hash = said.trim();
    if (code === 0 && isPasswordHash(hash)) resolve(hash);
    else fail(`openssl on the master ended with ${signal ?? code}`);
  });
  // One that ended early is told of by its end.
  child.stdin.on('error', () => {});
  child.stdin.end(`${password}\n`);
  return promise;
}
