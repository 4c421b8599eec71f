// What stands between Apache and a certificate that would end it, and the certificate of nobody.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { modulesFor, planModules } from './modules.ts';
import { makeNobody, nobodyPath, planNobody } from './nobody.ts';
import { readCertificates, unfitPair } from './pairs.ts';

const SITE = 'site-0000000000000001';
const path = `/var/aegir/sites/${SITE}/tls/${'a'.repeat(32)}.crt`;
const split = (pem: string) => {
  const at = pem.indexOf('-----BEGIN PRIVATE KEY');
  return { certificate: pem.slice(0, at), key: pem.slice(at) };
};

it('nobody has a certificate that fits its key, another one on each server', async () => {
  const [one, two] = [makeNobody(), makeNobody()];
  for (const pem of [one, two]) {
    const certificate = new X509Certificate(pem);
    expect(certificate.checkPrivateKey(createPrivateKey(pem))).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect([certificate.subject, certificate.issuer]).toEqual(['CN=aegir.invalid', 'CN=aegir.invalid']);
  }
  expect(one).not.toBe(two);
});

it('the certificate of nobody is written once, and again when it was damaged', async () => {
  const host = createFakeHost({ daemons: [{ name: 'apache2', includeDir: '/etc/apache2/sites-enabled' }] });
  const daemon = await host.daemon('apache2');
  if (daemon === undefined) throw new Error('the fake has no Apache');
  for (const harm of [async () => {}, () => host.files.write(nobodyPath(daemon), 'x', { mode: 0o600 })]) {
    await harm();
    const changes = await planNobody(host, daemon);
    expect(changes).toHaveLength(1);
    await runChanges(changes, contextOf(host));
    expect(await planNobody(host, daemon)).toEqual([]);
  }
});

it('certificates are read from what Apache tells of its configuration', () => {
  const dump = `VirtualHost configuration:\n*:443 is a NameVirtualHost\nServer certificates:\n  ${path}\n  ${path}\n  /etc/x.pem\n`;
  expect(readCertificates(dump)).toEqual([path, '/etc/x.pem']);
  expect(readCertificates(`${dump}ServerRoot: "/etc/apache2"\n  /none\n`)).toEqual([path, '/etc/x.pem']);
  expect(readCertificates('Syntax OK\n')).toEqual([]);
});

it("a site's pair that does not fit is a fault of that site's file; others' are not looked at", async () => {
  const { files } = createFakeHost();
  const [pair, other] = [split(makeNobody()), split(makeNobody())];
  const look = async (certificate: string, key: string) => {
    await files.write(path, certificate, { mode: 0o600 });
    await files.write(path.replace('.crt', '.key'), key, { mode: 0o600 });
    return unfitPair(['/etc/x.pem', path], files, '/etc/apache2/sites-enabled');
  };
  expect(await look(pair.certificate, pair.key)).toBeUndefined();
  for (const [certificate, key] of [
    [pair.certificate, other.key],
    [pair.certificate, ''],
    ['', pair.key],
    ['x', pair.key],
  ] as const) {
    const found = await look(certificate, key);
    expect(found).toMatchObject({ file: `/etc/apache2/sites-enabled/aegir-${SITE}.conf`, line: undefined });
    expect(found?.message).toContain(`certificate ${path} cannot be used`);
    expect(found?.message).not.toContain('PRIVATE KEY');
  }
});

it('mod_ssl is enabled where its port is free, and not where Apache would end for it', async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    }),
  );
  const includeDir = '/etc/apache2/sites-enabled';
  const host = createFakeHost({ daemons: [{ name: 'apache2', includeDir, tlsPort: port }] });
  const needs = { tls: true, passwords: false, forwards: false };
  for (const name of modulesFor(needs))
    await host.files.write(`/etc/apache2/mods-available/${name}.load`, 'x', { mode: 0o644 });
  const daemon = await host.daemon('apache2');
  if (daemon === undefined) throw new Error('the fake has no Apache');
  await expect(planModules(host, daemon, needs)).rejects.toThrow(`another program listens on port ${port}`);
  expect(await planModules(host, daemon, { ...needs, tls: false })).not.toEqual([]);
  await new Promise((resolve) => server.close(resolve));
  const planned = (await planModules(host, daemon, needs)).map(({ summary }) => summary).join('\n');
  expect(planned).toMatch(/enable module ssl of Apache/);
});
