// The authority on disk, and what it issues and refuses to issue. Requests come from openssl, which also judges.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, openAuthority } from './authority.ts';
import { opensslRequest, opensslVerify } from './testing/openssl.ts';

const SERVER = 'srv-0123456789abcdef';
const HOUR = 3_600_000;
let dir: string;
let authority: Authority;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-ca-'));
  authority = await openAuthority({ dir, now: Date.now });
});
afterAll(() => rm(dir, { recursive: true }));

async function copyOf(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'aegir-ca-'));
  for (const name of ['ca.key', 'ca.crt']) {
    await writeFile(join(copy, name), await readFile(join(dir, name)), { mode: 0o600 });
  }
  return copy;
}

describe('on disk', () => {
  test('is an authority for ten years, private, and the same when opened again', async () => {
    const certificate = new X509Certificate(authority.caPem);
    expect(certificate.ca).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072);
    const years = (certificate.validToDate.getTime() - Date.now()) / (365.25 * 24 * HOUR);
    expect(years).toBeGreaterThan(9.9);
    expect(years).toBeLessThan(10.1);
    expect((await readdir(dir)).toSorted()).toEqual(['ca.crt', 'ca.key']);
    for (const name of ['ca.key', 'ca.crt']) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
    const again = await openAuthority({ dir, now: Date.now });
    expect(again.caPem).toBe(authority.caPem);
    expect(again.caPin()).toBe(authority.caPin());
    expect(authority.caPin()).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test('a crash between key and certificate keeps the key: the pin stays', async () => {
    const copy = await copyOf();
    await unlink(join(copy, 'ca.crt'));
    await writeFile(join(copy, 'ca.crt.1.new'), 'half a certif', { mode: 0o600 });
    const mended = await openAuthority({ dir: copy, now: Date.now });
    expect(mended.caPin()).toBe(authority.caPin());
    const { pem } = await authority.issueServer(SERVER, opensslRequest().csrPem);
    expect(new X509Certificate(pem).verify(new X509Certificate(mended.caPem).publicKey)).toBe(true);
    await rm(copy, { recursive: true });
  });

  test('two that start at once agree on one authority', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'aegir-ca-'));
    const both = await Promise.all([
      openAuthority({ dir: empty, now: Date.now }),
      openAuthority({ dir: empty, now: Date.now }),
    ]);
    expect(both[0].caPem).toBe(both[1].caPem);
    await rm(empty, { recursive: true });
  });

  test('a lost key, another key, and a key that others may read are refused', async () => {
    const lost = await copyOf();
    await unlink(join(lost, 'ca.key'));
    await expect(openAuthority({ dir: lost, now: Date.now })).rejects.toMatchObject({ code: 'data_loss' });
    await writeFile(join(lost, 'ca.key'), opensslRequest().keyPem, { mode: 0o600 });
    await expect(openAuthority({ dir: lost, now: Date.now })).rejects.toMatchObject({ code: 'data_loss' });
    const open = await copyOf();
    await chmod(join(open, 'ca.key'), 0o640);
    await expect(openAuthority({ dir: open, now: Date.now })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('chmod 600'),
    });
    await rm(lost, { recursive: true });
    await rm(open, { recursive: true });
  });
});

describe('certificates of agents', () => {
  test('name the server, for 24 hours, whatever the request asks for', async () => {
    const { csrPem, keyPem } = opensslRequest(undefined, [
      '-subj',
      '/CN=srv-aaaaaaaaaaaaaaaa/O=root',
      '-addext',
      'subjectAltName=URI:aegir://master,DNS:master',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'extendedKeyUsage=serverAuth',
    ]);
    const before = Date.now();
    const issued = await authority.issueServer(SERVER, csrPem);
    const certificate = new X509Certificate(issued.pem);
    expect(certificate.subjectAltName).toBe(`URI:aegir://${SERVER}`);
    expect(certificate.subject).toBe(`CN=${SERVER}`);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.serialNumber.toLowerCase()).toBe(issued.serial);
    expect(issued.serial).toMatch(/^[4-7][0-9a-f]{31}$/);
    expect(Math.abs(issued.notAfter - (before + 24 * HOUR))).toBeLessThan(5000);
    expect(Math.abs(issued.notBefore - (before - 5 * 60_000))).toBeLessThan(5000);
    expect(certificate.publicKey.equals(createPublicKey(keyPem))).toBe(true);
    expect(opensslVerify(authority.caPem, issued.pem, 'sslclient')).toContain('OK');
    expect(() => opensslVerify(authority.caPem, issued.pem, 'sslserver')).toThrow(/purpose/);
  });

  test('have serials of their own', async () => {
    const { csrPem } = opensslRequest();
    const serials = await Promise.all(Array.from({ length: 20 }, () => authority.issueServer(SERVER, csrPem)));
    expect(new Set(serials.map(({ serial }) => serial)).size).toBe(20);
  });

  test('never outlive the authority', async () => {
    const late = await openAuthority({ dir, now: () => Date.now() + 11 * 365 * 24 * HOUR });
    await expect(late.issueServer(SERVER, opensslRequest().csrPem)).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });

  const rsa = (bits: number) => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`];
  const refused: Record<string, () => string> = {
    nothing: () => '',
    garbage: () => 'garbage',
    'garbage in PEM': () =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.alloc(300, 7).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
    'sequences without end': () =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from('3080'.repeat(2900), 'hex').toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
    'more than 8 KiB': () => `${opensslRequest().csrPem}${'\n'.repeat(8192)}`,
    'a certificate': () => authority.caPem,
    'an EC key': () => opensslRequest(['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']).csrPem,
    'an Ed25519 key': () => opensslRequest(['-algorithm', 'ED25519']).csrPem,
    'a short key': () => opensslRequest(rsa(1024)).csrPem,
    // Kept: making such a key takes seconds.
    'a key too long': () => readFileSync(new URL('testdata/rsa-4608.csr.pem', import.meta.url), 'utf8'),
    'another exponent': () => opensslRequest([...rsa(2048), '-pkeyopt', 'rsa_keygen_pubexp:3']).csrPem,
    'an SHA-1 signature': () => opensslRequest(rsa(2048), ['-sha1']).csrPem,
    'a PSS signature': () => opensslRequest(rsa(2048), ['-sigopt', 'rsa_padding_mode:pss']).csrPem,
    'a forged signature': () => forge(opensslRequest().csrPem, (der) => flip(der, der.length - 20)),
    'a changed subject': () => {
      return forge(opensslRequest().csrPem, (der) => flip(der, der.indexOf('anything')));
    },
    "another's key": () => {
      // The key of one request under the signature of another: somebody claims a key that is not theirs.
      const victim = derOf(opensslRequest().csrPem);
      const own = derOf(opensslRequest().csrPem);
      const signature = own.subarray(own.length - 256);
      return pemOf(Buffer.concat([victim.subarray(0, victim.length - 256), signature]));
    },
  };
  test.each(Object.keys(refused))('%s is refused as a request', async (what) => {
    const csr = refused[what]?.() ?? '';
    const error = await authority.issueServer(SERVER, csr).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_argument' });
    expect(String(error)).toMatch(/cannot use the certificate request: /);
  });

  test('4096 bits are taken', async () => {
    const { csrPem } = opensslRequest(rsa(4096), ['-sha512']);
    await expect(authority.issueServer(SERVER, csrPem)).resolves.toMatchObject({ serial: expect.any(String) });
  }, 30_000);
});

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
}

function pemOf(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

function forge(pem: string, change: (der: Buffer) => void): string {
  const der = derOf(pem);
  change(der);
  return pemOf(der);
}

function flip(der: Buffer, at: number): void {
  der[at] = (der[at] ?? 0) ^ 1;
}
