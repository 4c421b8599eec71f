// A certificate as an authority gives it, for tests: with the intermediate one, without the root.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsSpec } from '../../shared/gen/aegir/v1/spec.ts';

export function issued(names: readonly string[]): TlsSpec {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-issued-'));
  const at = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    const authority = 'basicConstraints=critical,CA:TRUE';
    openssl(
      'req',
      '-x509',
      ...key,
      '-days',
      '30',
      '-subj',
      '/CN=Root',
      '-keyout',
      at('root.key'),
      '-out',
      at('root.pem'),
    );
    const sign = (name: string, by: string, extension: string) => {
      writeFileSync(at('extension'), extension);
      openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at('request'));
      const signer = ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-CAcreateserial', '-days', '30'];
      openssl('x509', '-req', '-in', at('request'), ...signer, '-extfile', at('extension'), '-out', at(`${name}.pem`));
    };
    sign('middle', 'root', authority);
    sign('site', 'middle', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`);
    const [own, middle] = [readFileSync(at('site.pem'), 'utf8'), readFileSync(at('middle.pem'), 'utf8')];
    const keyPem = readFileSync(at('site.key'), 'utf8');
    return { certificatePem: `${own}${middle}`, keyPem, redirect: false, hstsSeconds: 0 };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
