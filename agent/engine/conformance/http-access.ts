// Who may see a site, and what an administrator adds to its virtual host, on any http engine. A part of the conformance
// suite (http.ts).
import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HttpAuthSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { siteLayout } from '../../host/site-layout.ts';
import { NAME, OTHER_NAME, type Scene, SITE } from './http-scene.ts';
import type { HttpSubject } from './http-stage.ts';
import { selfSigned } from './http-tls.ts';

const TOKEN = 'token-of-the-authority-for-one-example-org';
const ANSWER = `${TOKEN}.${'k'.repeat(43)}`;
const PASSWORDS = { alice: 'correct horse', bob: 'pässwörd of bob' } as const;

/** As the master makes them. */
function authOf(...names: readonly (keyof typeof PASSWORDS)[]): HttpAuthSpec {
  const users = names.map((name) => {
    const hash = execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: `${PASSWORDS[name]}\n` });
    return { name, passwordHash: hash.toString().trim() };
  });
  return { realm: "Staff, it's (closed)", users };
}

export function describeAccess(subject: HttpSubject, scene: Scene): void {
  const asking = (name: string, password: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` },
  });
  const as = (name: keyof typeof PASSWORDS) => asking(name, PASSWORDS[name]);
  const statuses = async (path: string, ...whom: readonly object[]) =>
    Promise.all(whom.map(async (more) => (await scene.stage.get(NAME, path, more)).status));

  describe('passwords', () => {
    beforeAll(() => scene.stage.apply(scene.other));
    afterEach(async () => {
      await scene.stage.apply(scene.spec);
      await scene.expectConverged();
    });

    it('let those in who have one, and nobody else; the plan says who, and not how', async () => {
      const spec = { ...scene.spec, auth: authOf('alice', 'bob') };
      const planned = await scene.stage.plan(spec);
      expect(planned.join('\n')).toContain(`who may see ${NAME}`);
      expect(planned.join('\n')).toContain('alice, bob');
      expect(planned.join('\n')).not.toContain('$6$');
      expect(await scene.stage.apply(spec)).toEqual(planned);
      expect(await scene.stage.plan(spec)).toEqual([]);
      for (const path of ['/', '/index.php', '/style.css', '/files/photo.txt', '/admin/tool.php', '/any/path']) {
        const wrong = [asking('alice', 'wrong'), asking('nobody', 'correct horse'), asking('alice', ''), as('alice')];
        expect([path, ...(await statuses(path, {}, ...wrong, as('bob')))]).toEqual([
          path,
          401,
          401,
          401,
          401,
          200,
          200,
        ]);
      }
      const { headers, body } = await scene.stage.get(NAME, '/');
      expect(headers['www-authenticate']).toBe(`Basic realm="Staff, it's (closed)"`);
      expect(body).not.toContain('ran');
      expect(await scene.statusOf(OTHER_NAME)).toBe(200);
      expect((await scene.stage.get(NAME, '/.git/config', as('alice'))).status).toBe(404);
    });

    it('are taken away one by one, changed, and ended', async () => {
      await scene.stage.apply({ ...scene.spec, auth: authOf('alice', 'bob') });
      await scene.stage.apply({ ...scene.spec, auth: authOf('bob') });
      expect(await statuses('/', {}, as('alice'), as('bob'))).toEqual([401, 401, 200]);
      const { auth } = siteLayout(scene.stage.host.paths, SITE);
      expect(await scene.stage.host.files.list(auth)).toHaveLength(1);
      await scene.stage.apply(scene.spec);
      expect(await statuses('/', {}, as('alice'), asking('alice', 'wrong'))).toEqual([200, 200, 200]);
      expect(await scene.stage.host.files.exists(auth)).toBe(false);
    });

    it('do not keep the authority from its challenges', async () => {
      const tls = { ...selfSigned([NAME]), redirect: true };
      for (const part of [{}, { tls }]) {
        await scene.stage.apply({ ...scene.spec, ...part, auth: authOf('alice'), challenges: { [TOKEN]: ANSWER } });
        const challenge = await scene.stage.get(NAME, `/.well-known/acme-challenge/${TOKEN}`);
        expect([challenge.status, challenge.body]).toEqual([200, ANSWER]);
      }
      expect((await scene.stage.get(NAME, '/', { tls: true })).status).toBe(401);
      expect((await scene.stage.get(NAME, '/', { tls: true, ...as('alice') })).status).toBe(200);
    });

    it('are none of the business of PHP', async () => {
      await scene.stage.apply({ ...scene.spec, auth: authOf('alice') });
      const { body } = await scene.stage.get(NAME, '/index.php', as('alice'));
      expect(JSON.parse(body)).toMatchObject({ ran: 'code/index.php', auth: null, user: null });
      expect(body).not.toContain('alice');
    });

    it('are on disk for the web server alone, and are brought back', async () => {
      const spec = { ...scene.spec, auth: authOf('alice') };
      await scene.stage.apply(spec);
      const { auth } = siteLayout(scene.stage.host.paths, SITE);
      const [name = ''] = await scene.stage.host.files.list(auth);
      expect((await stat(auth)).mode & 0o777).toBe(0o750);
      expect((await stat(join(auth, name))).mode & 0o777).toBe(0o640);
      await scene.stage.host.files.write(join(auth, name), 'mallory:{PLAIN}x\n', { mode: 0o644 });
      expect((await scene.stage.plan(spec)).join('\n')).toContain(`who may see ${NAME}`);
      await scene.stage.apply(spec);
      expect(await statuses('/', asking('mallory', 'x'), as('alice'))).toEqual([401, 200]);
      expect(await scene.stage.plan(spec)).toEqual([]);
    });

    it.each([
      ['a realm that ends its quotes', { realm: 'x"; return 200 "y', users: [] }],
      ['a realm of the server', { realm: 'x $host %{HTTP_HOST}', users: [] }],
    ])('refuse %s, and nothing changes', async (_what, auth) => {
      const before = await scene.configuration();
      await expect(scene.stage.plan({ ...scene.spec, auth })).rejects.toMatchObject({ code: 'invalid_argument' });
      expect(await scene.configuration()).toEqual(before);
    });
  });

  describe('a snippet', () => {
    const engine = subject.name;
    const { works, fails } = subject.snippets;
    beforeAll(() => scene.stage.apply(scene.other));
    afterEach(async () => {
      await scene.stage.apply(scene.spec);
      await scene.expectConverged();
    });

    it('works in the block of the site, over HTTPS too, and in no other', async () => {
      const spec = { ...scene.spec, snippet: { engine, text: works } };
      const planned = await scene.stage.apply(spec);
      expect(planned).toEqual([`update virtual host of ${NAME}`]);
      expect(await scene.stage.plan(spec)).toEqual([]);
      const { includeDir } = scene.stage.daemon;
      const filesWith = async (text: string) => {
        const paths = (await readdir(includeDir)).map((name) => join(includeDir, name));
        const found = await Promise.all(
          paths.map(async (path) => ((await readFile(path, 'utf8')).includes(text) ? path : '')),
        );
        return Promise.all(found.filter((path) => path !== '').map(async (path) => (await stat(path)).mode & 0o7777));
      };
      // Keys may be in it.
      expect(await filesWith('/from-the-snippet')).toEqual([0o640]);
      const moved = await scene.stage.get(NAME, '/from-the-snippet');
      expect([moved.status, moved.headers['location']]).toEqual([302, 'https://example.org/to']);
      // Files and pages have its headers; files have ours besides.
      for (const [path, sniffed] of [
        ['/style.css', 'nosniff'],
        ['/any', undefined],
      ] as const) {
        const { headers } = await scene.stage.get(NAME, path);
        expect([path, headers['x-of-all'], headers['x-content-type-options']]).toEqual([path, 'yes', sniffed]);
      }
      expect((await scene.stage.get(OTHER_NAME, '/from-the-snippet')).status).toBe(200);
      expect((await scene.stage.get(NAME, '/.git/config')).status).toBe(404);
      await scene.stage.apply({ ...spec, tls: selfSigned([NAME]) });
      expect((await scene.stage.get(NAME, '/from-the-snippet', { tls: true })).status).toBe(302);
      await scene.stage.apply(scene.spec);
      expect(await filesWith('/from-the-snippet')).toEqual([]);
      expect(new Set(await filesWith(NAME))).toEqual(new Set([0o644]));
      expect((await scene.stage.get(NAME, '/from-the-snippet')).status).toBe(200);
    });

    it('that the daemon refuses is named by its line, and the old configuration stays in force', async () => {
      const before = await scene.configuration();
      for (const tls of [undefined, selfSigned([NAME])]) {
        const applied = scene.stage.apply({ ...scene.spec, tls, snippet: { engine, text: fails.text } });
        await expect(applied).rejects.toMatchObject({ code: 'failed_precondition' });
        await expect(applied).rejects.toThrow(new RegExp(`line ${fails.line}: .*${fails.says}.*stays in force`, 'i'));
        expect(await scene.configuration()).toEqual(before);
        expect(await scene.statusOf(NAME)).toBe(200);
      }
    });

    it('in the words of another server is refused', async () => {
      const other = engine === 'nginx' ? 'apache' : 'nginx';
      const planned = scene.stage.plan({ ...scene.spec, snippet: { engine: other, text: '# nothing\n' } });
      await expect(planned).rejects.toMatchObject({ code: 'failed_precondition' });
      await expect(planned).rejects.toThrow(`its snippet is for ${other}, and this is ${engine}`);
    });

    it('that would leave its block comes to no daemon', async () => {
      for (const text of subject.snippets.breakingOut) {
        const planned = scene.stage.plan({ ...scene.spec, snippet: { engine, text } });
        await expect(planned, text).rejects.toMatchObject({ code: 'invalid_argument' });
      }
    });
  });
}
