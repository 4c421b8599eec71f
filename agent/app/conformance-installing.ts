// What every app with an installer must do besides: install from nothing, notice what a crash left, log in once.
import { describe, expect, test } from 'vitest';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { App, Installing } from './app.ts';
import type { Stage } from './conformance-stage.ts';
import { createVisitor } from './conformance-visitor.ts';
import { databaseContents } from './site-database.ts';

export interface InstallingSubject {
  /** A page that only somebody logged in sees, and what it then shows. */
  readonly ownPage: string;
  readonly loggedIn: RegExp;
  /** What the log says of how it was installed. */
  readonly says: RegExp;
  /** What it says to a language that it has not; nothing when it takes any. */
  readonly refusesLanguage?: RegExp;
  /** Milliseconds that an install may take. */
  readonly timeoutMs: number;
}

export function describeInstalling(
  app: App & Installing,
  subject: InstallingSubject,
  world: () => { readonly stage: Stage; readonly site: SiteSpec },
): void {
  const limit = subject.timeoutMs;
  describe('installing', () => {
    test('sees an empty database', async () => {
      const { stage, site } = world();
      expect(await app.installState(site, stage.layout(site), stage.ctx)).toBe('absent');
    });

    test('an install that was stopped in the middle is seen, and wiped', { timeout: limit }, async () => {
      const { stage, site } = world();
      const layout = stage.layout(site);
      const stop = new AbortController();
      let over = '';
      const ended = app
        .install(site, layout, { ...stage.ctx, signal: stop.signal })
        .then(
          () => 'installed',
          (error: Error) => (stop.signal.aborted ? 'stopped' : error.message),
        )
        .finally(() => {
          over = 'over';
        });
      const tables = async () =>
        (await databaseContents(site, { table: '', sql: '' }, layout, stage.ctx)).tables.length;
      // One table may be a trial of the installer's.
      while (over === '' && (await tables()) < 3);
      stop.abort(new Error('stopped by the test'));
      expect(await ended).toBe('stopped');
      expect(await app.installState(site, layout, stage.ctx)).toBe('partial');
      await app.wipe(site, layout, stage.ctx);
      expect(await app.installState(site, layout, stage.ctx)).toBe('absent');
      await app.wipe(site, layout, stage.ctx);
      expect(await app.installState(site, layout, stage.ctx)).toBe('absent');
    });

    const { refusesLanguage } = subject;
    test.runIf(refusesLanguage !== undefined)('a language that is not there is told', { timeout: limit }, async () => {
      const { stage, site } = world();
      const layout = stage.layout(site);
      const inKlingon = app.install({ ...site, locale: 'tlh_XX' }, layout, stage.ctx);
      await expect(inKlingon).rejects.toThrow(refusesLanguage);
      expect(await app.installState(site, layout, stage.ctx)).toBe('absent');
    });

    test('installs, and leaves the settings as they were', { timeout: limit }, async () => {
      const { stage, site } = world();
      const layout = stage.layout(site);
      await app.install(site, layout, stage.ctx);
      expect(stage.said.join('\n')).toMatch(subject.says);
      expect(await app.installState(site, layout, stage.ctx)).toBe('installed');
      expect(await stage.planned(site)).toEqual([]);
    });

    test('does not wipe what is installed', async () => {
      const { stage, site } = world();
      await expect(app.wipe(site, stage.layout(site), stage.ctx)).rejects.toThrow(/cannot empty the database/);
      expect(await app.installState(site, stage.layout(site), stage.ctx)).toBe('installed');
    });

    test('shows the site under its names, with its title', { timeout: limit }, async () => {
      const { stage, site } = world();
      for (const name of [site.name, ...site.aliases]) {
        const page = await createVisitor(stage, `http://${name}:${stage.port}`).get('/');
        if (name !== site.name && page.status === 301) continue; // to the main name
        expect([name, page.status]).toEqual([name, 200]);
        expect(page.body).toContain('Ann &');
      }
    });

    test('what its home page is made of is there too', { timeout: limit }, async () => {
      const { stage, site } = world();
      const visitor = createVisitor(stage, site.url);
      const { body } = await visitor.get('/');
      const found = [...body.matchAll(/(?:href|src)=["']([^"']+\.(?:css|js|svg|png)(?:\?[^"']*)?)["']/g)].map(
        ([, at = '']) => new URL(at.replace(/&(?:amp|#038);/g, '&'), site.url),
      );
      // Some are made only when they are asked for, by the front controller.
      const own = found.filter(({ origin }) => origin === site.url);
      expect(own.length).toBeGreaterThan(0);
      for (const { pathname, search } of own) {
        const page = await visitor.get(pathname + search);
        expect([pathname, page.status, page.type]).toEqual([
          pathname,
          200,
          expect.stringMatching(/css|javascript|image/),
        ]);
      }
    });

    test('a link logs in once, and only once', { timeout: limit }, async () => {
      const { stage, site } = world();
      const link = await app.loginLink(site, '', stage.layout(site), stage.ctx);
      expect(link.url.startsWith(`${site.url}/`)).toBe(true);
      expect(link.expiresAt.getTime()).toBeGreaterThan(Date.now());
      expect(link.expiresAt.getTime()).toBeLessThan(Date.now() + 7 * 86_400_000);
      expect(stage.argv.join('\n')).not.toContain(link.url);
      const visitor = createVisitor(stage, site.url);
      expect((await visitor.get(subject.ownPage)).body).not.toMatch(subject.loggedIn);
      await visitor.follow(link.url);
      expect((await visitor.follow(subject.ownPage)).body).toMatch(subject.loggedIn);
      const second = createVisitor(stage, site.url);
      await second.follow(link.url);
      expect((await second.follow(subject.ownPage)).body).not.toMatch(subject.loggedIn);
      // Whoever has the cookie stays in.
      expect((await visitor.follow(subject.ownPage)).body).toMatch(subject.loggedIn);
    });

    test('makes links for accounts by name and mail, and says when there is none', { timeout: limit }, async () => {
      const { stage, site } = world();
      const layout = stage.layout(site);
      for (const account of [site.adminName, site.adminMail]) {
        const { url } = await app.loginLink(site, account, layout, stage.ctx);
        const visitor = createVisitor(stage, site.url);
        await visitor.follow(url);
        expect((await visitor.follow(subject.ownPage)).body).toMatch(subject.loggedIn);
      }
      await expect(app.loginLink(site, "nobody's", layout, stage.ctx)).rejects.toMatchObject({ code: 'not_found' });
    });
  });
}
