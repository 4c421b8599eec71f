// A certificate authority for tests, by openssl: signs masters, agents and requests. All bear the same name and no key
// identifiers, so that only signatures tell one from another.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pinOf } from '../pin.ts';

export interface Pair {
  readonly keyPem: string;
  readonly certificatePem: string;
}

export interface TestAuthority {
  readonly caPem: string;
  /** sha256:… */
  readonly pin: string;
  /** A key and a certificate with this URI SAN; seconds it lives from now, which may be negative. */
  issue(uri: string, lifeSeconds?: number): Pair;
  /** Signs a request. */
  sign(csrPem: string, uri: string, lifeSeconds?: number): string;
  remove(): void;
}

export function createAuthority(): TestAuthority {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-ca-'));
  const path = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '30',
    '-subj',
    '/CN=test authority',
  );
  const caPem = readFileSync(path('ca.pem'), 'utf8');
  let serial = 0;

  const signFile = (csr: string, uri: string, lifeSeconds: number): string => {
    serial += 1;
    const stamp = (ms: number) => `${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
    const now = Math.floor(Date.now() / 1000) * 1000;
    const from = lifeSeconds > 0 ? now : now + 2 * lifeSeconds * 1000;
    writeFileSync(path('ca.cnf'), CA_CONFIG);
    writeFileSync(path('index'), '');
    writeFileSync(path('serial'), `${(serial + 16).toString(16).padStart(4, '0')}\n`);
    writeFileSync(
      path('ext.cnf'),
      `subjectAltName=URI:${uri}\nextendedKeyUsage=serverAuth,clientAuth\nauthorityKeyIdentifier=none\n`,
    );
    openssl(
      ...['ca', '-batch', '-config', 'ca.cnf', '-in', csr, '-out', 'out.pem', '-notext', '-extfile', 'ext.cnf'],
      ...['-startdate', stamp(from), '-enddate', stamp(now + lifeSeconds * 1000)],
    );
    return readFileSync(path('out.pem'), 'utf8');
  };

  return {
    caPem,
    pin: `sha256:${pinOf(new X509Certificate(caPem))}`,
    issue(uri, lifeSeconds = 86_400) {
      openssl('req', '-new', ...newKey, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=leaf');
      const keyPem = readFileSync(path('leaf.key'), 'utf8');
      return { keyPem, certificatePem: signFile('leaf.csr', uri, lifeSeconds) };
    },
    sign(csrPem, uri, lifeSeconds = 86_400) {
      writeFileSync(path('request.csr'), csrPem);
      return signFile('request.csr', uri, lifeSeconds);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

const CA_CONFIG = `
[ca]
default_ca = it
[it]
dir = .
certificate = ca.pem
private_key = ca.key
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = optional
`;
