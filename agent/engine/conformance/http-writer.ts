// What a web server does whose files are its own, while another head of its cluster takes the writes: what is not among the
// visitors' files here is asked for there. A part of the conformance suite (http.ts).
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NAME, type Scene } from './http-scene.ts';

const ADDRESS = '127.0.31.9';

export function describeWriter(scene: Scene): void {
  describe('a site whose writes another head takes', () => {
    let server: Server;
    let port = 0;
    const asked: string[] = [];
    const reader = () => ({ ...scene.spec, fronts: ['127.0.0.1'], writer: { address: ADDRESS, port, tlsPort: 0 } });

    beforeAll(async () => {
      server = createServer((request, response) => {
        asked.push(request.url ?? '');
        const { method, url, headers } = request;
        response.statusCode = request.url?.startsWith('/files/nowhere') === true ? 404 : 200;
        response.end(JSON.stringify({ method, url, headers }));
      });
      server.listen({ host: ADDRESS, port: 0 });
      await once(server, 'listening');
      const address = server.address();
      port = typeof address === 'object' && address !== null ? address.port : 0;
      await scene.stage.apply(reader());
    });
    afterAll(async () => {
      server.closeAllConnections();
      server.close();
      await scene.stage.apply(scene.spec);
    });

    it('is converged', async () => {
      expect(await scene.stage.plan(reader())).toEqual([]);
    });

    it('answers from what it has, and asks nobody', async () => {
      asked.length = 0;
      expect((await scene.stage.get(NAME, '/files/photo.txt')).status).toBe(200);
      expect(await scene.statusOf(NAME)).toBe(200);
      expect(asked).toEqual([]);
    });

    it('asks that head for a file that is not here, and says who the visitor is', async () => {
      const headers = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https', forwarded: 'for=6.6.6.6' };
      const answer = await scene.stage.get(NAME, '/files/new%20one/a.png?x=1', { headers });
      expect(answer.status).toBe(200);
      const told = JSON.parse(answer.body);
      expect(told).toMatchObject({ method: 'GET', url: '/files/new%20one/a.png?x=1' });
      expect(told.headers).toMatchObject({
        host: NAME,
        'x-forwarded-for': '203.0.113.7',
        'x-forwarded-proto': 'https',
      });
      expect(told.headers.forwarded).toBeUndefined();
      expect((await scene.stage.get(NAME, '/files/nowhere.png')).status).toBe(404);
    });

    // As a visitor's own file may be called: name, slash and sign of a query are other files.
    it.each([
      '%C3%A9t%C3%A9.png',
      'a%25b.png',
      'a%3Fb.png',
      'a%23b.png',
      'a+b.png',
      "it's.png",
      'a%26b=c.png',
      'a%3Bb.png',
      'a%2520b.png',
    ])('asks for %s under that name', async (name) => {
      const answer = await scene.stage.get(NAME, `/files/${name}?v=%2F+1&w`);
      expect(answer.status).toBe(200);
      const { url } = JSON.parse(answer.body) as { url: string };
      const [path = '', query] = url.split('?');
      expect([decodeURIComponent(path), query]).toEqual([decodeURIComponent(`/files/${name}`), 'v=%2F+1&w']);
    });

    it.each(['/files/shell.php', '/files/.git/config', '/files/a~'])('denies %s itself', async (path) => {
      asked.length = 0;
      expect((await scene.stage.get(NAME, path)).status).toBe(404);
      expect(asked).toEqual([]);
    });

    it('fails for what only that head has while it is away, and serves the rest', async () => {
      const gone = { ...reader(), writer: { address: ADDRESS, port: 9, tlsPort: 0 } };
      await scene.stage.apply(gone);
      expect((await scene.stage.get(NAME, '/files/only-there.png')).status).toBeGreaterThanOrEqual(500);
      expect(await scene.statusOf(NAME)).toBe(200);
      await scene.stage.apply(reader());
    });
  });
}
