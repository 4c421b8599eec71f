// The one conformance suite of type http: what every http engine does, run against its real daemon. An engine is plugged
// in by describeHttpEngine(subject) in a *.daemon.test.ts of its own.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { siteLayout } from '../../host/site-layout.ts';
import { runChanges } from '../engine.ts';
import { describeAccess } from './http-access.ts';
import { describeFailures } from './http-failures.ts';
import { describeForwarding } from './http-forwarding.ts';
import { describeProcesses } from './http-processes.ts';
import { REQUESTS } from './http-requests.ts';
import { createScene, NAME, OTHER, OTHER_NAME, SITE } from './http-scene.ts';
import type { HttpSubject } from './http-stage.ts';
import { describeTls } from './http-tls.ts';
import { describeWriter } from './http-writer.ts';
import { summaries } from './interruption.ts';

export function describeHttpEngine(subject: HttpSubject): void {
  describe(`http/${subject.name}`, () => {
    const scene = createScene();
    const hasTls = subject.createEngine().capabilities.has('tls');
    beforeAll(() => scene.open(subject));
    afterAll(() => scene.close());

    describe('a daemon', () => {
      it('is detected, with its version, port and whether it can do PHP', async () => {
        const [detected, ...more] = await scene.stage.engine.detect(scene.stage.host);
        expect(more).toEqual([]);
        expect(detected).toMatchObject({ type: 'http', engine: subject.name, running: true, manageable: true });
        expect(detected?.version).toMatch(/^\d+\.\d+/);
        const { port, tlsPort } = scene.stage.daemon;
        expect(detected?.ports).toEqual(hasTls ? [port, tlsPort] : [port]);
        expect(detected?.capabilities.includes('tls')).toBe(hasTls);
        expect(detected?.capabilities).toContain('php');
      });

      it('is prepared once', async () => {
        const changes = await scene.stage.engine.prepare(scene.stage.service, scene.stage.ctx);
        expect(changes.length).toBeGreaterThan(0);
        await runChanges(changes, scene.stage.ctx);
        expect(summaries(await scene.stage.engine.prepare(scene.stage.service, scene.stage.ctx))).toEqual([]);
      });

      it('serves nothing for a name that no site has', async () => {
        const { status, body } = await scene.stage.get('nobody.example.org', '/index.php');
        expect(status).toBe(404);
        expect(body).not.toContain('ran');
      });

      it('is found sound by check', async () => {
        const findings = await scene.stage.engine.check(scene.stage.service, scene.stage.ctx);
        expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
        expect(findings.length).toBeGreaterThan(1);
      });
    });

    describe('a site', () => {
      it('is not there before its plan is run', async () => {
        const before = await scene.configuration();
        const planned = await scene.stage.plan(scene.spec);
        expect(planned.join('\n')).toContain(`create virtual host of ${NAME}`);
        expect(await scene.configuration()).toEqual(before);
        expect(await scene.statusOf(NAME)).toBe(404);
      });

      it('is served once applied, and applying it again changes nothing', async () => {
        const planned = await scene.stage.plan(scene.spec);
        expect(await scene.stage.apply(scene.spec)).toEqual(planned);
        await scene.expectConverged();
      });

      it('is inspected as virtual host and pool', async () => {
        const mine = (await scene.stage.engine.inspect(scene.stage.service, scene.stage.ctx)).filter(
          ({ siteId }) => siteId === SITE,
        );
        expect(mine.map(({ what }) => what)).toEqual(['virtual host', expect.stringMatching(/^PHP .* pool$/)]);
      });

      it('is served under its aliases as soon as it has them, and no longer', async () => {
        const alias = `${'long-label-of-a-long-name.'.repeat(8)}example.org`;
        expect(await scene.stage.apply({ ...scene.spec, aliases: [alias] })).toEqual([
          `update virtual host of ${NAME}`,
        ]);
        expect(await scene.statusOf(alias)).toBe(200);
        expect(await scene.statusOf(NAME)).toBe(200);
        await scene.stage.apply(scene.spec);
        expect(await scene.statusOf(alias)).toBe(404);
      });

      it('leads all its names to one when told', async () => {
        const alias = `www.${NAME}`;
        const { port } = scene.stage.daemon;
        const at = (name: string, path: string) => `http://${name}${port === 80 ? '' : `:${port}`}${path}`;
        await scene.stage.apply({ ...scene.spec, aliases: [alias], redirectTo: NAME });
        const led = await scene.stage.get(alias, '/a%20b/c?d=e%26f');
        expect([led.status, led.headers['location']]).toEqual([301, at(NAME, '/a%20b/c?d=e%26f')]);
        expect(await scene.statusOf(NAME)).toBe(200);
        await scene.stage.apply({ ...scene.spec, aliases: [alias], redirectTo: alias });
        expect((await scene.stage.get(NAME, '/x')).headers['location']).toBe(at(alias, '/x'));
        expect(await scene.statusOf(alias)).toBe(200);
        expect(await scene.stage.plan({ ...scene.spec, aliases: [alias], redirectTo: alias })).toEqual([]);
        await expect(scene.stage.plan({ ...scene.spec, redirectTo: OTHER_NAME })).rejects.toMatchObject({
          code: 'invalid_argument',
        });
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      });

      it('is applied while another one is, and neither loses', async () => {
        await scene.stage.remove(SITE, scene.spec);
        await Promise.all([scene.stage.apply(scene.spec), scene.stage.apply(scene.other)]);
        await scene.expectConverged(scene.spec);
        await scene.expectConverged(scene.other);
      });

      it('keeps its own log of requests', async () => {
        await scene.stage.get(NAME, '/logged-here');
        const log = join(siteLayout(scene.stage.host.paths, SITE).logs, 'access.log');
        await expect.poll(() => scene.stage.host.files.read(log)).toContain('/logged-here');
        const foreign = join(siteLayout(scene.stage.host.paths, OTHER).logs, 'access.log');
        expect(await scene.stage.host.files.read(foreign)).not.toContain('/logged-here');
      });

      it('believes its front who the visitor is and how it came, and nobody else', async () => {
        const said = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
        const told = async () => JSON.parse((await scene.stage.get(NAME, '/any', { headers: said })).body);
        await scene.stage.apply(scene.spec);
        const { address } = await told();
        expect(address).toMatch(/^127\./);
        await scene.stage.apply({ ...scene.spec, fronts: ['192.0.2.1', '2001:db8::1'] });
        expect(await told()).toMatchObject({ address, https: '' });
        const behind = { ...scene.spec, fronts: ['192.0.2.1', address] };
        await scene.stage.apply(behind);
        expect(await scene.stage.plan(behind)).toEqual([]);
        expect(await told()).toMatchObject({ address: '203.0.113.7', https: 'on' });
        const log = join(siteLayout(scene.stage.host.paths, SITE).logs, 'access.log');
        await expect.poll(() => scene.stage.host.files.read(log)).toContain('203.0.113.7 - ');
        const plain = await scene.stage.get(NAME, '/any', { headers: { 'x-forwarded-for': '203.0.113.7' } });
        expect(JSON.parse(plain.body)).toMatchObject({ https: '' });
        await expect(scene.stage.plan({ ...scene.spec, fronts: ['x; y'] })).rejects.toThrow(/front/);
        await scene.stage.apply(scene.spec);
        expect(await told()).toMatchObject({ address, https: '' });
      });

      it('serves nobody but its front and its own server where it is closed to others, whatever those say', async () => {
        const front = '127.0.31.7';
        const closed = { ...scene.spec, fronts: [front], frontsOnly: true };
        await scene.stage.apply(closed);
        expect(await scene.stage.plan(closed)).toEqual([]);
        const told = async (from: string) => {
          const headers = { 'x-forwarded-for': front, 'x-forwarded-proto': 'https' };
          const { status, headers: got, body } = await scene.stage.get(NAME, '/any', { from, headers });
          return [status, got['retry-after'] !== undefined, body.includes('Down for maintenance')];
        };
        expect(await told('127.0.31.9')).toEqual([503, true, true]);
        expect(await told(front)).toEqual([200, false, false]);
        expect(await told('127.0.0.1')).toEqual([200, false, false]);
        await scene.stage.apply(scene.spec);
        expect(await told('127.0.31.9')).toEqual([200, false, false]);
      });

      it('answers 503 with a page and Retry-After while it is disabled, whatever is asked', async () => {
        await scene.stage.apply({ ...scene.spec, state: 'disabled' });
        for (const path of ['/', '/index.php', '/style.css', '/.git/config']) {
          const { status, headers, body } = await scene.stage.get(NAME, path);
          expect(status).toBe(503);
          expect(Number(headers['retry-after'])).toBeGreaterThan(0);
          expect(headers['content-type']).toContain('text/html');
          expect(body).toContain('maintenance');
        }
        expect(await scene.stage.plan({ ...scene.spec, state: 'disabled' })).toEqual([]);
        expect(await scene.statusOf(OTHER_NAME)).toBe(200);
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      });

      it('loses no request while another one comes and goes', async () => {
        const third = 'site-0000000000000003';
        await scene.stage.fixture.prepareSite(third);
        let done = false;
        const statuses = new Map<number | string, number>();
        const visitor = (async () => {
          while (!done) {
            const seen = await scene.stage.get(NAME, '/any').then(({ status }) => status, String);
            statuses.set(seen, (statuses.get(seen) ?? 0) + 1);
          }
        })();
        const wanted = scene.stage.fixture.php(third, 'three.example.org');
        await scene.stage.apply(wanted);
        await scene.stage.remove(third, wanted);
        done = true;
        await visitor;
        expect([...statuses.keys()]).toEqual([200]);
        expect(statuses.get(200)).toBeGreaterThan(10);
      });
    });

    describe('requests', () => {
      beforeAll(() => scene.stage.apply(scene.spec));

      it.each(REQUESTS.map((each) => ({ method: 'GET', ...each })))(
        '$method $path → $status: $why',
        async ({ path, status, runs, says, location, ...more }) => {
          const answer = await scene.stage.get(NAME, path, more);
          expect(answer.status).toBe(status);
          const ran = /"ran":"([^"]*)"/.exec(answer.body)?.[1]?.replace('\\/', '/');
          expect(ran).toBe(runs);
          if (says !== undefined) expect(answer.body).toContain(says);
          // Relative or by the name that was asked for: both stay right behind a front.
          const led = (to: unknown) => new URL(String(to), `http://${NAME}/`).href;
          if (location !== undefined) expect(led(answer.headers['location'])).toBe(led(location));
          expect(answer.body).not.toContain('secret');
          if (status === 404) expect(answer.body).not.toContain('<?php');
        },
      );

      it('marks files, and only files, as nosniff', async () => {
        expect((await scene.stage.get(NAME, '/style.css')).headers).toMatchObject({
          'x-content-type-options': 'nosniff',
          'content-type': 'text/css',
        });
        expect((await scene.stage.get(NAME, '/uploads/no-type')).headers).toMatchObject({
          'x-content-type-options': 'nosniff',
          'content-type': 'application/octet-stream',
        });
        expect((await scene.stage.get(NAME, '/index.php')).headers['x-content-type-options']).toBeUndefined();
      });

      it('lets caches keep files for everybody', async () => {
        expect((await scene.stage.get(NAME, '/style.css')).headers['vary']).toBeUndefined();
      });

      it('finds the site however its name is written, and tells PHP the one it was given', async () => {
        for (const name of [NAME.toUpperCase(), `${NAME}.`, `${NAME}:8080`]) {
          const { status, body } = await scene.stage.get(name, '/any');
          expect({ name, status }).toEqual({ name, status: 200 });
          expect(JSON.parse(body)).toMatchObject({ ran: 'code/index.php', server: NAME });
        }
      });

      it('tells neither its own version nor that of PHP', async () => {
        const { headers } = await scene.stage.get(NAME, '/index.php');
        expect(headers['x-powered-by']).toBeUndefined();
        expect(headers['server'] ?? '').not.toMatch(/\d/);
      });
    });

    describe('the pool of a site', () => {
      beforeAll(() => scene.stage.apply(scene.spec));

      const report = async (query: string) => JSON.parse((await scene.stage.get(NAME, `/index.php?${query}`)).body);

      it('has the limits and the private directories of the site', async () => {
        const layout = siteLayout(scene.stage.host.paths, SITE);
        const wanted = {
          memory_limit: String(64 * 1024 * 1024),
          max_execution_time: '20',
          post_max_size: '100000',
          upload_max_filesize: '100000',
          upload_tmp_dir: layout.tmp,
          sys_temp_dir: layout.tmp,
          'session.save_path': layout.sessions,
          error_log: join(layout.logs, 'php.log'),
          'opcache.validate_permission': '1',
          'opcache.validate_root': '1',
          'cgi.fix_pathinfo': '0',
        };
        expect((await report(`ini=${Object.keys(wanted).join(',')}`)).ini).toEqual(wanted);
      });

      it('opens the directories of its own site, and no others', async () => {
        const reads = async (path: string) => (await report(`read=${encodeURIComponent(path)}`)).reads;
        expect(await reads(join(siteLayout(scene.stage.host.paths, SITE).files, 'photo.txt'))).toBe(true);
        expect(await reads(join(scene.spec.rules.docroot, 'style.css'))).toBe(true);
        expect(await reads(join(siteLayout(scene.stage.host.paths, OTHER).files, 'photo.txt'))).toBe(false);
        expect(await reads('/etc/hostname')).toBe(false);
        expect(await reads('/etc/passwd')).toBe(false);
      });

      it('runs the file that the app prepends', async () => {
        const file = join(siteLayout(scene.stage.host.paths, SITE).root, 'prepend.php');
        await scene.stage.host.files.write(file, "<?php header('X-Prepended: yes');", { mode: 0o644 });
        const { php } = scene.spec.rules;
        if (php === undefined) throw new Error('the fixture has no PHP');
        await scene.stage.apply({ ...scene.spec, rules: { ...scene.spec.rules, php: { ...php, prepend: file } } });
        expect((await scene.stage.get(NAME, '/index.php')).headers['x-prepended']).toBe('yes');
        await scene.stage.apply(scene.spec);
        expect((await scene.stage.get(NAME, '/index.php')).headers['x-prepended']).toBeUndefined();
      });

      it('goes when the site needs no PHP any more, and nothing runs then', async () => {
        const plain = scene.stage.fixture.plain(SITE, NAME);
        await scene.stage.apply(plain);
        expect(await scene.stage.host.files.exists(scene.poolPath())).toBe(false);
        expect(await scene.stage.plan(plain)).toEqual([]);
        for (const path of ['/', '/index.php', '/admin/', '/none', '/empty/']) {
          const { status, body } = await scene.stage.get(NAME, path);
          expect({ path, status }).toEqual({ path, status: 404 });
          expect(body).not.toContain('<?php');
        }
        expect(await scene.statusOf(NAME, '/static/')).toBe(200);
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      });

      it('is refused for a PHP that is not there; the error tells those that are', async () => {
        const [newest] = await scene.stage.host.phpVersions();
        const old = {
          ...scene.spec,
          php: { ...(scene.spec.php as NonNullable<typeof scene.spec.php>), version: '5.6' },
        };
        await expect(scene.stage.plan(old)).rejects.toThrow(`PHP 5.6 and this server has ${newest}`);
      });
    });

    if (hasTls) describeTls(scene);
    if (hasTls) describeForwarding(scene);
    describeProcesses(scene);
    describeWriter(scene);
    describeAccess(subject, scene);
    describeFailures(subject, scene);

    describe('removal', () => {
      it('takes everything of the site, leaves the others, and may be repeated', async () => {
        await scene.stage.apply(scene.spec);
        expect((await scene.stage.remove(SITE, scene.spec)).length).toBeGreaterThan(0);
        expect(await scene.statusOf(NAME)).toBe(404);
        expect(await scene.statusOf(OTHER_NAME)).toBe(200);
        expect(JSON.stringify(await scene.configuration())).not.toContain(SITE);
        expect(await scene.stage.host.files.exists(siteLayout(scene.stage.host.paths, SITE).logs)).toBe(false);
        expect(await scene.stage.host.files.exists(siteLayout(scene.stage.host.paths, SITE).socket)).toBe(false);
        expect(
          (await scene.stage.engine.inspect(scene.stage.service, scene.stage.ctx)).map(({ siteId }) => siteId),
        ).not.toContain(SITE);
        expect(await scene.stage.remove(SITE, scene.spec)).toEqual([]);
      });

      it('needs no spec, and of a site that never was is nothing', async () => {
        expect(await scene.stage.remove('site-zzzzzzzzzzzzzzzz')).toEqual([]);
        expect((await scene.stage.remove(OTHER)).length).toBeGreaterThan(0);
        expect(await scene.stage.engine.inspect(scene.stage.service, scene.stage.ctx)).toEqual([]);
      });

      it('of the last site leaves daemons that run and take the next one', async () => {
        const findings = await scene.stage.engine.check(scene.stage.service, scene.stage.ctx);
        expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      });
    });
  });
}
