// What an http engine does with a site that is held or has moved: every request goes on, as it came, and nothing of the site
// runs here; and what the server does that it goes on to. A part of the conformance suite (http.ts).
import { once } from 'node:events';
import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { siteLayout } from '../../host/site-layout.ts';
import { NAME, OTHER_NAME, type Scene, SITE } from './http-scene.ts';
import { selfSigned } from './http-tls.ts';

const ALIAS = 'www.one.example.org';
const ADDRESS = '127.0.31.8';
const TOKEN = 'token-of-the-authority-for-one-example-org';
const ANSWER = `${TOKEN}.${'k'.repeat(43)}`;
const FORGED = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'gopher', forwarded: 'for=6.6.6.6' };

/** Tells what it was asked. */
const tell: RequestListener = async (request, response) => {
  let body = 0;
  for await (const chunk of request) body += (chunk as Buffer).length;
  const { method, url, headers } = request;
  response.setHeader('x-from', 'elsewhere');
  response.end(JSON.stringify({ method, url, headers, body }));
};

export function describeForwarding(scene: Scene): void {
  describe('a site that is served elsewhere', () => {
    const servers: Server[] = [];
    const listen = async (server: Server, at: object): Promise<number> => {
      servers.push(server);
      server.listen(at);
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    };
    const gate = () => siteLayout(scene.stage.host.paths, SITE).gate;
    const tls = selfSigned([NAME, ALIAS]);
    let plainPort = 0;
    const openGate = async (): Promise<void> => {
      await listen(createServer(tell), { path: gate() });
      const user = await scene.stage.host.users.lookup(scene.stage.daemon.user);
      await chmod(gate(), 0o600);
      if (process.getuid?.() === 0 && user !== undefined) await chown(gate(), user.uid, user.gid);
    };
    const upstream = (tlsPort = 0) => ({ address: ADDRESS, port: plainPort, tlsPort });
    const toldOf = ({ body }: { body: string }) => JSON.parse(body);

    beforeAll(async () => {
      plainPort = await listen(createServer(tell), { host: ADDRESS, port: 0 });
      await openGate();
      await scene.stage.apply(scene.spec);
      await scene.stage.apply(scene.other);
    });
    afterEach(() => scene.stage.apply(scene.spec));
    afterAll(async () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await rm(gate(), { force: true });
      await scene.expectConverged();
    });

    it('is not held without a gate', async () => {
      await rm(gate());
      await expect(scene.stage.apply({ ...scene.spec, state: 'held' })).rejects.toMatchObject({
        code: 'failed_precondition',
      });
      expect(await scene.statusOf(NAME)).toBe(200);
      await openGate();
    });

    it('is never handed on to the web server that hands it on', async () => {
      const { addresses, port } = scene.stage.daemon;
      for (const address of addresses) {
        const itself = { address, port, tlsPort: 0 };
        for (const part of [{ state: 'moved', upstream: itself }, { writer: itself }]) {
          await expect(scene.stage.apply({ ...scene.spec, ...part })).rejects.toMatchObject({
            code: 'failed_precondition',
          });
        }
      }
      expect(await scene.statusOf(NAME)).toBe(200);
    });

    it.each(['held', 'moved'])('%s, has no pool, and applying it again changes nothing', async (state) => {
      const spec = { ...scene.spec, state, upstream: upstream() };
      const planned = await scene.stage.plan(spec);
      expect(await scene.stage.apply(spec)).toEqual(planned);
      expect(await scene.stage.plan(spec)).toEqual([]);
      expect(await scene.stage.host.files.exists(scene.poolPath())).toBe(false);
      expect(await scene.statusOf(OTHER_NAME)).toBe(200);
    });

    it.each(['held', 'moved'])('%s, passes everything on as it came, and says who the visitor is', async (state) => {
      await scene.stage.apply({ ...scene.spec, state, upstream: upstream(), challenges: { [TOKEN]: ANSWER } });
      const path = '/a%2Fb//c/../.git/x.php?d=%20e&f';
      const body = 'x'.repeat(300_000);
      const answer = await scene.stage.get(NAME, path, {
        method: 'PUT',
        body,
        headers: { ...FORGED, 'x-own': 'kept' },
      });
      expect([answer.status, answer.headers['x-from']]).toEqual([200, 'elsewhere']);
      const told = toldOf(answer);
      expect(told).toMatchObject({ method: 'PUT', url: path, body: 300_000 });
      expect(told.headers).toMatchObject({ host: NAME, 'x-own': 'kept', 'x-forwarded-proto': 'http' });
      expect(told.headers['x-forwarded-for']).toMatch(/^127\./);
      expect(told.headers.forwarded).toBeUndefined();
      expect((await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}`)).body).toBe(ANSWER);
    });

    it.each(['held', 'moved'])('%s, asks for no password and leads nobody to a name or to HTTPS', async (state) => {
      const auth = { realm: 'Staff', users: [{ name: 'alice', passwordHash: `$6$salt$${'a'.repeat(86)}` }] };
      const part = { state, upstream: upstream(), auth, aliases: [ALIAS], redirectTo: ALIAS };
      await scene.stage.apply({ ...scene.spec, ...part, tls: { ...tls, redirect: true, hstsSeconds: 1000 } });
      const plain = await scene.stage.get(NAME, '/x', { headers: { authorization: 'Basic eDp5' } });
      expect(plain.status).toBe(200);
      expect(toldOf(plain).headers).toMatchObject({ authorization: 'Basic eDp5', 'x-forwarded-proto': 'http' });
      const secure = await scene.stage.get(ALIAS, '/x', { tls: true });
      expect(toldOf(secure).headers).toMatchObject({ host: ALIAS, 'x-forwarded-proto': 'https' });
      expect(secure.headers['strict-transport-security']).toBeUndefined();
    });

    it('says who the visitor is, also where he asks that it be left out', async () => {
      for (const state of ['held', 'moved']) {
        await scene.stage.apply({ ...scene.spec, state, upstream: upstream() });
        const headers = { connection: 'close, X-Forwarded-For, x-forwarded-proto' };
        const told = toldOf(await scene.stage.get(NAME, '/', { headers })).headers;
        expect(told).toMatchObject({ 'x-forwarded-proto': 'http' });
        expect(told['x-forwarded-for']).toMatch(/^127\./);
      }
    });

    it.each(['held', 'moved'])(
      '%s, answers 508 to what it has handed on itself, and knows the others',
      async (state) => {
        await scene.stage.apply({ ...scene.spec, state, upstream: upstream() });
        const marked = async (headers: Record<string, string>) => {
          const answer = await scene.stage.get(NAME, '/', { headers });
          return toldOf(answer).headers['cdn-loop'] as string;
        };
        const mark = await marked({});
        expect(mark).toMatch(/^svc-[0-9a-z]{16}$/);
        expect(await marked({ 'cdn-loop': 'cdn.example; a=b' })).toBe(`cdn.example; a=b, ${mark}`);
        expect(await marked({ 'cdn-loop': `not-${mark}`, connection: 'close, CDN-Loop' })).toBe(`not-${mark}, ${mark}`);
        for (const loop of [mark, `cdn.example, ${mark}`, `${mark};x=1,cdn.example`]) {
          expect((await scene.stage.get(NAME, '/any', { headers: { 'cdn-loop': loop } })).status).toBe(508);
        }
      },
    );

    it('passes on what a front says of the visitor', async () => {
      await scene.stage.apply({ ...scene.spec, state: 'held', fronts: ['127.0.0.1', '127.0.31.7', '127.0.31.8'] });
      const headers = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
      expect(toldOf(await scene.stage.get(NAME, '/', { headers })).headers).toMatchObject(headers);
    });

    it('has those who are not let in yet wait in the gate, as they came, and serves the others', async () => {
      const fronts = ['127.0.0.1', '127.0.31.7'];
      const auth = { realm: 'Staff', users: [{ name: 'alice', passwordHash: `$6$salt$${'a'.repeat(86)}` }] };
      const waiting = { ...scene.spec, fronts, frontsOnly: true, othersHeld: true };
      await rm(gate());
      await expect(scene.stage.apply(waiting)).rejects.toMatchObject({ code: 'failed_precondition' });
      await openGate();
      await scene.stage.apply(waiting);
      expect(await scene.stage.plan(waiting)).toEqual([]);
      const path = '/a%2Fb//c/../.git/x.php?d=%20e&f';
      const body = 'x'.repeat(3000);
      const from = '127.0.31.9';
      const headers = { ...FORGED, 'x-own': 'kept', connection: 'close, X-Forwarded-For' };
      const answer = await scene.stage.get(NAME, path, { method: 'PUT', body, headers, from });
      expect([answer.status, answer.headers['x-from']]).toEqual([200, 'elsewhere']);
      const told = toldOf(answer);
      expect(told).toMatchObject({ method: 'PUT', url: path, body: 3000 });
      expect(told.headers).toMatchObject({ host: NAME, 'x-own': 'kept', 'x-forwarded-proto': 'http' });
      expect(told.headers).toMatchObject({ 'x-forwarded-for': from });
      expect(told.headers.forwarded).toBeUndefined();
      const style = await scene.stage.get(NAME, '/style.css', { from });
      expect(style.headers['x-from']).toBe('elsewhere');
      const said = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
      for (const own of fronts) {
        const served = await scene.stage.get(NAME, '/any', { from: own, headers: said });
        expect(toldOf(served)).toMatchObject({ address: '203.0.113.7', https: 'on' });
      }
      await scene.stage.apply({ ...waiting, auth, tls: { ...tls, redirect: true, hstsSeconds: 0 } });
      const secure = await scene.stage.get(NAME, '/x', { from, tls: true });
      expect(toldOf(secure).headers).toMatchObject({ 'x-forwarded-for': from, 'x-forwarded-proto': 'https' });
      expect((await scene.stage.get(NAME, '/any', { from: '127.0.0.1', tls: true })).status).toBe(401);
      await scene.stage.apply(scene.spec);
      expect((await scene.stage.get(NAME, '/any', { from })).headers['x-from']).toBeUndefined();
    });

    it('goes on over TLS to who shows its certificate, and to nobody else', async () => {
      const secure = (pair: typeof tls) => createSecureServer({ cert: pair.certificatePem, key: pair.keyPem }, tell);
      const ours = await listen(secure(tls), { host: ADDRESS, port: 0 });
      const strange = await listen(secure(selfSigned([NAME])), { host: ADDRESS, port: 0 });
      await scene.stage.apply({ ...scene.spec, tls, state: 'moved', upstream: upstream(ours) });
      expect(toldOf(await scene.stage.get(NAME, '/s', { tls: true })).url).toBe('/s');
      await scene.stage.apply({ ...scene.spec, tls, state: 'moved', upstream: upstream(strange) });
      const refused = await scene.stage.get(NAME, '/s', { tls: true });
      expect(refused.status).toBeGreaterThanOrEqual(500);
      expect(toldOf(await scene.stage.get(NAME, '/p')).url).toBe('/p');
    });

    it('that came here leads visitors of its old server nowhere, and those who come straight to HTTPS', async () => {
      const fronts = ['127.0.0.1', '127.0.31.7', '127.0.31.8'];
      const spec = { ...scene.spec, fronts, tls: { ...tls, redirect: true, hstsSeconds: 1000 } };
      await scene.stage.apply({ ...spec, challenges: { [TOKEN]: ANSWER } });
      const said = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
      const seen = { address: '203.0.113.7', https: 'on' };
      for (const secure of [false, true]) {
        expect(toldOf(await scene.stage.get(NAME, '/any', { tls: secure, headers: said }))).toMatchObject(seen);
      }
      const plain = await scene.stage.get(NAME, '/any', { headers: { ...said, 'x-forwarded-proto': 'http' } });
      expect([plain.status, new URL(String(plain.headers['location'])).protocol]).toEqual([301, 'https:']);
      expect((await scene.stage.get(NAME, '/any')).status).toBe(301);
      expect((await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}`)).body).toBe(ANSWER);
      expect(toldOf(await scene.stage.get(NAME, '/any', { tls: true }))).toMatchObject({ https: 'on' });
    });
  });
}
