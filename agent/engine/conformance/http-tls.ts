// What an http engine does over TLS, and with the names of a site: certificates served, renewed and taken away, plain HTTP
// redirected, challenges answered. A part of the conformance suite (http.ts).
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TlsSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { siteLayout } from '../../host/site-layout.ts';
import { NAME, OTHER_NAME, type Scene, SITE } from './http-scene.ts';

const ALIAS = 'www.one.example.org';
const TOKEN = 'token-of-the-authority-for-one-example-org';
const ANSWER = `${TOKEN}.${'k'.repeat(43)}`;

export function describeTls(scene: Scene): void {
  describe('TLS', () => {
    let first: TlsSpec;
    let second: TlsSpec;
    beforeAll(() => {
      first = selfSigned([NAME, ALIAS]);
      second = selfSigned([NAME, ALIAS]);
    });
    afterEach(async () => {
      await scene.stage.apply(scene.spec);
    });
    afterAll(() => scene.expectConverged());

    const serialOf = (tls: TlsSpec) => new X509Certificate(tls.certificatePem).serialNumber;
    const secure = (name: string, path = '/') => scene.stage.get(name, path, { tls: true });
    const at = (scheme: 'http' | 'https', name: string, path: string) => {
      const port = scheme === 'http' ? scene.stage.daemon.port : scene.stage.daemon.tlsPort;
      return `${scheme}://${name}:${port}${path}`;
    };
    const files = () => scene.stage.host.files.list(siteLayout(scene.stage.host.paths, SITE).tls);

    it('serves a site beside plain HTTP, tells PHP, and applying it again changes nothing', async () => {
      const spec = { ...scene.spec, tls: first };
      const planned = await scene.stage.plan(spec);
      expect(await scene.stage.apply(spec)).toEqual(planned);
      expect(await scene.stage.plan(spec)).toEqual([]);
      const answer = await secure(NAME);
      expect([answer.status, answer.certificate]).toEqual([200, serialOf(first)]);
      expect((await scene.stage.get(NAME, '/')).status).toBe(200);
      expect(planned.join('\n')).not.toContain('PRIVATE KEY');
    });

    it('keeps the key from everybody else', async () => {
      await scene.stage.apply({ ...scene.spec, tls: first });
      const { tls } = siteLayout(scene.stage.host.paths, SITE);
      expect((await stat(tls)).mode & 0o777).toBe(0o700);
      for (const name of await files()) expect((await stat(join(tls, name))).mode & 0o777).toBe(0o600);
    });

    it('gives names that nobody has, and sites without one, no certificate', async () => {
      await scene.stage.apply({ ...scene.spec, tls: first });
      await expect(secure('nobody.example.org')).rejects.toThrow();
      await expect(secure(OTHER_NAME)).rejects.toThrow();
      // By another Host than the name of the handshake nobody reaches anything else either.
      const crossed = await scene.stage.get(NAME, '/', { tls: true, headers: { 'x-forwarded-host': OTHER_NAME } });
      expect(crossed.status).toBe(200);
    });

    it('renews: the new certificate is shown, and the old one with its key is gone', async () => {
      await scene.stage.apply({ ...scene.spec, tls: first });
      const before = await files();
      await scene.stage.apply({ ...scene.spec, tls: second });
      expect((await secure(NAME)).certificate).toBe(serialOf(second));
      expect((await files()).length).toBe(before.length);
      expect((await files()).filter((name) => before.includes(name))).toEqual([]);
      expect(await scene.stage.plan({ ...scene.spec, tls: second })).toEqual([]);
    });

    it('without it HTTPS ends, and nothing of it is left', async () => {
      await scene.stage.apply({ ...scene.spec, tls: first });
      await scene.stage.apply(scene.spec);
      await expect(secure(NAME)).rejects.toThrow();
      expect(await files()).toEqual([]);
      expect((await scene.stage.get(NAME, '/')).status).toBe(200);
    });

    it('redirects plain HTTP when told, but for challenges', async () => {
      const tls = { ...first, redirect: true };
      await scene.stage.apply({ ...scene.spec, tls, challenges: { [TOKEN]: ANSWER } });
      const { status, headers } = await scene.stage.get(NAME, '/a/b?c=d%20e');
      expect([status, headers['location']]).toEqual([301, at('https', NAME, '/a/b?c=d%20e')]);
      const challenge = await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}`);
      expect([challenge.status, challenge.body]).toEqual([200, ANSWER]);
      expect((await secure(NAME)).status).toBe(200);
      expect((await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}x`)).status).toBe(301);
    });

    it('answers challenges without any certificate, for a disabled site too', async () => {
      for (const state of ['enabled', 'disabled']) {
        await scene.stage.apply({ ...scene.spec, state, challenges: { [TOKEN]: ANSWER } });
        const { status, body } = await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}`);
        expect([state, status, body]).toEqual([state, 200, ANSWER]);
      }
      await scene.stage.apply(scene.spec);
      const gone = await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}`);
      expect(gone.body).not.toContain(ANSWER);
    });

    it('sends HSTS over HTTPS with every kind of answer, and never over HTTP', async () => {
      await scene.stage.apply({ ...scene.spec, tls: { ...first, redirect: true, hstsSeconds: 63_072_000 } });
      for (const path of ['/', '/style.css', '/files/photo.txt', '/.git/config', '/admin/tool.php']) {
        const { headers } = await secure(NAME, path);
        expect([path, headers['strict-transport-security']]).toEqual([path, 'max-age=63072000']);
      }
      expect((await scene.stage.get(NAME, '/')).headers['strict-transport-security']).toBeUndefined();
    });

    it('is down for maintenance over HTTPS too', async () => {
      await scene.stage.apply({ ...scene.spec, state: 'disabled', tls: first });
      expect((await secure(NAME)).status).toBe(503);
    });

    it('leads all names to one when told, by the scheme that was asked', async () => {
      const aliases = [ALIAS];
      await scene.stage.apply({ ...scene.spec, aliases, redirectTo: NAME });
      const plain = await scene.stage.get(ALIAS, '/x?y');
      expect([plain.status, plain.headers['location']]).toEqual([301, at('http', NAME, '/x?y')]);
      expect((await scene.stage.get(NAME, '/')).status).toBe(200);

      await scene.stage.apply({ ...scene.spec, aliases, redirectTo: ALIAS, tls: first });
      const other = await secure(NAME, '/x?y');
      expect([other.status, other.headers['location']]).toEqual([301, at('https', ALIAS, '/x?y')]);
      expect((await secure(ALIAS)).status).toBe(200);
      expect((await scene.stage.get(NAME, '/')).headers['location']).toBe(at('http', ALIAS, '/'));

      await scene.stage.apply({ ...scene.spec, aliases, redirectTo: ALIAS, tls: { ...first, redirect: true } });
      expect((await scene.stage.get(NAME, '/')).headers['location']).toBe(at('https', ALIAS, '/'));
      expect((await secure(ALIAS)).status).toBe(200);
    });

    it.each<readonly [string, () => object]>([
      ['a key of another certificate', () => ({ tls: { ...first, keyPem: second.keyPem } })],
      ['no certificate', () => ({ tls: { ...first, certificatePem: 'x' } })],
      ['no key', () => ({ tls: { ...first, keyPem: '' } })],
      ['a name that is not its own', () => ({ redirectTo: OTHER_NAME })],
      ['a token that is more', () => ({ challenges: { '/../x": return 200 "y': ANSWER } })],
      ['an answer that is more', () => ({ challenges: { [TOKEN]: 'x"; } server { ' } })],
    ])('refuses %s, and nothing changes', async (_what, part) => {
      const before = await scene.configuration();
      await expect(scene.stage.plan({ ...scene.spec, ...part() })).rejects.toMatchObject({ code: 'invalid_argument' });
      expect(await scene.configuration()).toEqual(before);
    });
  });
}

/** A certificate for these names, and its key. */
export function selfSigned(names: readonly string[]): TlsSpec {
  const dir = mkdtempSync(join(tmpdir(), 'aegir-tls-'));
  try {
    const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
        ...['-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`],
        ...['-keyout', key, '-out', certificate],
      ],
      { stdio: 'pipe' },
    );
    const certificatePem = readFileSync(certificate, 'utf8');
    return { certificatePem, keyPem: readFileSync(key, 'utf8'), redirect: false, hstsSeconds: 0 };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
