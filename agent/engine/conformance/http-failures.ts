// What an http engine does when things go wrong: drift, interruptions, configuration that somebody else broke, and what
// the daemon refuses. A part of the conformance suite (http.ts).
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { siteLayout } from '../../host/site-layout.ts';
import type { HttpSiteSpec } from '../engine.ts';
import { type ActionContext, runChanges } from '../engine.ts';
import { NAME, OTHER, OTHER_NAME, type Scene, SITE } from './http-scene.ts';
import type { HttpSubject } from './http-stage.ts';
import { cancelAfter, dieAtEach, summaries } from './interruption.ts';
import { strides } from './rows.ts';

export function describeFailures(subject: HttpSubject, scene: Scene): void {
  describe('drift', () => {
    const cases: readonly [what: string, harm: () => Promise<void>, says: string][] = [
      ['a virtual host that was deleted', () => scene.stage.host.files.remove(scene.vhostPath()), 'it was missing'],
      ['a pool that was deleted', () => scene.stage.host.files.remove(scene.poolPath()), 'it was missing'],
      ['a virtual host that was edited', () => append(scene.vhostPath(), '# by hand\n'), 'it was changed by hand'],
      ['a virtual host that was broken', () => append(scene.vhostPath(), 'nonsense;\n'), 'it was changed by hand'],
      ['a pool that was edited', () => append(scene.poolPath(), 'pm.max_children = 99\n'), 'it was changed by hand'],
      ['a pool that was broken', () => append(scene.poolPath(), 'nonsense = 1\n'), 'it was changed by hand'],
      [
        'a log directory that was deleted',
        () => scene.stage.host.files.remove(siteLayout(scene.stage.host.paths, SITE).logs),
        'make logs',
      ],
      ['a daemon that was stopped', () => scene.stage.daemon.stop(), 'it does not run'],
      ['PHP-FPM that was stopped', () => scene.stage.fpm.stop(), 'it does not run'],
    ];
    const append = async (path: string, text: string) => {
      await scene.stage.host.files.write(path, `${await scene.stage.host.files.read(path)}${text}`, { mode: 0o644 });
    };

    it.each(cases)('%s is found, named and mended', async (_what, harm, says) => {
      await scene.stage.apply(scene.spec);
      await harm();
      const planned = await scene.stage.plan(scene.spec);
      expect(planned.join('\n')).toContain(says);
      await scene.stage.apply(scene.spec);
      await scene.expectConverged();
    });

    it('that broke two sites at once is mended site by site', async () => {
      for (const siteId of [SITE, OTHER]) await append(scene.vhostPath(siteId), 'nonsense;\n');
      const named = expect.stringContaining('changed by hand');
      const failures: string[] = [];
      for (const wanted of [scene.other, scene.spec, scene.other, scene.spec]) {
        await scene.stage.apply(wanted).catch((thrown: Error) => failures.push(thrown.message));
      }
      expect(failures).toEqual(failures.map(() => named));
      expect(failures.length).toBeLessThanOrEqual(2);
      await scene.expectConverged(scene.spec);
      await scene.expectConverged(scene.other);
    });

    it('of one site is not drift of another', async () => {
      await append(scene.vhostPath(OTHER), '# by hand\n');
      expect(await scene.stage.plan(scene.spec)).toEqual([]);
      expect(await scene.stage.apply(scene.other)).toEqual([
        `restore virtual host of ${OTHER_NAME}: it was changed by hand`,
      ]);
    });
  });

  describe('an interruption', () => {
    it('between any two changes leaves what the next plan completes', async () => {
      for (let before = 0; ; before++) {
        await scene.stage.remove(SITE, scene.spec);
        const stopped = await cancelAfter(before, scene.stage.host, (ctx) =>
          scene.stage.engine.plan(scene.stage.service, scene.spec, ctx),
        );
        if (!stopped) break;
        expect(await scene.statusOf(OTHER_NAME)).toBe(200);
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      }
    });

    const cases = [
      ['an apply', () => scene.stage.remove(SITE, scene.spec), 'plan'],
      ['an update', () => scene.stage.apply({ ...scene.spec, aliases: ['was.example.org'] }), 'plan'],
      ['a removal', () => scene.stage.apply(scene.spec), 'remove'],
    ] as const;
    for (const [some, options] of strides<(typeof cases)[number]>(cases, 4))
      it.each(some)(
        'by death in $what, at every place of $stride, is found and mended by the next agent',
        options,
        async ({ one: [, arrange, verb], stride }) => {
          const plan = (ctx: ActionContext) =>
            verb === 'plan'
              ? subject.createEngine().plan(scene.stage.service, scene.spec, ctx)
              : subject.createEngine().remove(scene.stage.service, SITE, scene.spec, ctx);
          const end = await dieAtEach(stride, scene.stage.host, arrange, plan, async () => {
            expect(await scene.statusOf(OTHER_NAME)).toBe(200);
            if (verb === 'plan') {
              await scene.stage.apply(scene.spec);
              await scene.expectConverged();
              expect(await scene.statusOf('was.example.org')).toBe(404);
            } else {
              await scene.stage.remove(SITE, scene.spec);
              expect(
                summaries(await scene.stage.engine.remove(scene.stage.service, SITE, scene.spec, scene.stage.ctx)),
              ).toEqual([]);
              expect(await scene.statusOf(NAME)).toBe(404);
            }
          });
          expect(end).toBeGreaterThan(Math.max(3, stride));
        },
      );
  });

  describe('a configuration broken by someone else', () => {
    const foreign = (dir: string) => join(dir, 'zz-operator.conf');
    afterEach(async () => {
      for (const { includeDir } of [scene.stage.daemon, scene.stage.fpm])
        await scene.stage.host.files.remove(foreign(includeDir));
      await scene.stage.daemon.reload();
      await scene.stage.apply(scene.spec);
    });

    it.each([
      ['the web server', () => scene.stage.daemon.includeDir, 'nonsense on;\n'],
      ['PHP-FPM', () => scene.stage.fpm.includeDir, '[broken]\nnonsense = on\n'],
    ])('of %s fails the plan with file and line, changes nothing, and goes on serving', async (_what, dir, text) => {
      await scene.stage.remove(SITE, scene.spec);
      await scene.stage.host.files.write(foreign(dir()), text, { mode: 0o644 });
      const before = await scene.configuration();
      const line = text.trimEnd().split('\n').length;
      const planned = scene.stage.plan(scene.spec);
      await expect(planned).rejects.toMatchObject({ code: 'failed_precondition' });
      await expect(planned).rejects.toThrow(`${foreign(dir())}:${line}`);
      await expect(planned).rejects.toThrow(/not Aegir's: correct or remove line/);
      expect(await scene.configuration()).toEqual(before);
      expect(await scene.statusOf(OTHER_NAME)).toBe(200);
      const findings = await scene.stage.engine.check(scene.stage.service, scene.stage.ctx);
      expect(
        findings.filter(({ level, text: said }) => level === 'error' && said.includes(foreign(dir()))),
      ).toHaveLength(1);
    });

    it('after the plan fails the change in the same way', async () => {
      await scene.stage.remove(SITE, scene.spec);
      const changes = await scene.stage.engine.plan(scene.stage.service, scene.spec, scene.stage.ctx);
      await scene.stage.host.files.write(foreign(scene.stage.daemon.includeDir), 'nonsense on;\n', { mode: 0o644 });
      await expect(runChanges(changes, scene.stage.ctx)).rejects.toThrow(foreign(scene.stage.daemon.includeDir));
      expect(await scene.stage.host.files.exists(scene.vhostPath())).toBe(false);
      expect(await scene.statusOf(OTHER_NAME)).toBe(200);
    });

    it('does not matter to a name: one that somebody serves already is refused and left to them', async () => {
      const taken = 'taken.example.org';
      const text = subject.foreignSite(scene.stage.daemon, taken);
      await scene.stage.host.files.write(foreign(scene.stage.daemon.includeDir), text, { mode: 0o644 });
      await scene.stage.daemon.reload();
      const before = await scene.configuration();
      const applied = scene.stage.apply({ ...scene.spec, aliases: [taken] });
      await expect(applied).rejects.toMatchObject({ code: 'already_exists' });
      await expect(applied).rejects.toThrow(taken);
      expect(await scene.configuration()).toEqual(before);
      expect((await scene.stage.get(taken, '/')).body).toContain('foreign');
      expect(await scene.statusOf(NAME)).toBe(200);
    });
  });

  it('a name that a site of ours holds which the master does not know: it is called a leftover', async () => {
    await scene.stage.apply(scene.spec);
    await scene.stage.apply(scene.other);
    const before = await scene.configuration();
    const applied = scene.stage.apply({ ...scene.spec, aliases: [OTHER_NAME] });
    await expect(applied).rejects.toMatchObject({ code: 'already_exists' });
    await expect(applied).rejects.toThrow(
      new RegExp(`already serves ${OTHER_NAME} for ${scene.other.siteId}, which is a leftover of Aegir's own`),
    );
    expect(await scene.configuration()).toEqual(before);
  });

  describe('what the daemon refuses', () => {
    it('is told in its own words, and the old configuration stays in force', async () => {
      const before = await scene.configuration();
      const bad = {
        ...scene.spec,
        rules: { ...scene.spec.rules, deny: [{ pattern: '(unclosed', why: 'a fault of an app' }] },
      };
      await expect(scene.stage.apply(bad)).rejects.toThrow(/unclosed[\s\S]*the old one was put back/);
      expect(await scene.configuration()).toEqual(before);
      await scene.expectConverged();
    });

    it.each<[string, (of: HttpSiteSpec) => HttpSiteSpec]>([
      ['a name', (of) => ({ ...of, name: 'a.example; root /' })],
      ['an alias', (of) => ({ ...of, aliases: ['b.example\n} server {'] })],
      ['a docroot', (of) => ({ ...of, rules: { ...of.rules, docroot: '/srv/"; root "/' } })],
      ['a docroot with a variable', (of) => ({ ...of, rules: { ...of.rules, docroot: '/srv/$host' } })],
    ])('or could misread is never written: %s', async (_what, change) => {
      const before = await scene.configuration();
      await expect(scene.stage.plan(change(scene.spec))).rejects.toMatchObject({ code: 'invalid_argument' });
      expect(await scene.configuration()).toEqual(before);
    });
  });
}
