// Certificate requests for tests, made by openssl: another implementation than ours, with keys of any kind.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyAndRequest {
  readonly keyPem: string;
  readonly csrPem: string;
}

/** key: arguments of `openssl genpkey`; request: further arguments of `openssl req -new`. */
export function opensslRequest(
  key: readonly string[] = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  request: readonly string[] = [],
): KeyAndRequest {
  return inDirectory((dir) => {
    const keyPath = join(dir, 'key.pem');
    const csrPath = join(dir, 'csr.pem');
    run(['genpkey', ...key, '-out', keyPath]);
    run(['req', '-new', '-key', keyPath, '-subj', '/CN=anything', ...request, '-out', csrPath]);
    return { keyPem: readFileSync(keyPath, 'utf8'), csrPem: readFileSync(csrPath, 'utf8') };
  });
}

/** What `openssl verify` says; throws when it refuses. */
export function opensslVerify(caPem: string, certificatePem: string, purpose: 'sslclient' | 'sslserver'): string {
  return inDirectory((dir) => {
    writeFileSync(join(dir, 'ca.pem'), caPem);
    writeFileSync(join(dir, 'certificate.pem'), certificatePem);
    const files = ['-CAfile', join(dir, 'ca.pem'), join(dir, 'certificate.pem')];
    return run(['verify', '-x509_strict', '-purpose', purpose, ...files]);
  });
}

function run(args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
}

function inDirectory<T>(work: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-openssl-'));
  try {
    return work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
