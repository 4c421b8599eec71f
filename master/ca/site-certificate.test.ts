// Self-signed certificates, and what is told of somebody's own before it is used.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { judgeCertificate, makeSelfSigned } from './site-certificate.ts';

const NAMES = ['example.org', 'www.example.org', 'xn--bcher-kva.example'];

test('is for all names, for a year, and OpenSSL serves it', async () => {
  const now = Date.now();
  const { chainPem, keyPem } = await makeSelfSigned(NAMES, now);
  const facts = judgeCertificate(chainPem, keyPem);
  expect(facts).toMatchObject({ names: NAMES, issuer: 'example.org' });
  expect(facts.notBefore).toBeLessThanOrEqual(now);
  expect(facts.notAfter - now).toBeGreaterThan(364 * 86_400_000);
  const server = createServer({ cert: chainPem, key: keyPem }).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, servername: 'www.example.org', ca: chainPem }, () => {
        socket.end();
        resolve();
      });
      socket.on('error', reject);
    });
  } finally {
    server.close();
  }
});

test('of a name longer than a common name may be', async () => {
  const name = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.org`;
  const { chainPem, keyPem } = await makeSelfSigned([name], Date.now());
  expect(judgeCertificate(chainPem, keyPem).names).toEqual([name]);
});

test('what a web server would stumble over is refused', async () => {
  const [one, two] = [await makeSelfSigned(NAMES, Date.now()), await makeSelfSigned(['b.example'], Date.now())];
  expect(() => judgeCertificate(one.chainPem, two.keyPem)).toThrow(/not that of the first certificate/);
  expect(() => judgeCertificate('', one.keyPem)).toThrow(/no certificate/);
  expect(() => judgeCertificate(`${one.chainPem}${two.chainPem}`, one.keyPem)).toThrow(/not in order/);
  expect(() => judgeCertificate(one.chainPem, 'x')).toThrow();
  expect(() => judgeCertificate(one.chainPem.repeat(11), one.keyPem)).toThrow(/more than ten/);
});
