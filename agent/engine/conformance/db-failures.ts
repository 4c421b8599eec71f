// What a db engine does when things go wrong: drift, interruptions, names that are none, and a server that is down. A part
// of the conformance suite (db.ts).
import { beforeEach, describe, expect, it } from 'vitest';
import type { DbSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { type ActionContext, runChanges } from '../engine.ts';
import { DATA, type DbScene, OTHER, SITE } from './db-scene.ts';
import { type DbSubject, WEB1, WEB2 } from './db-stage.ts';
import { cancelAfter, dieAtEach } from './interruption.ts';
import { rows, strides } from './rows.ts';

export function describeDbFailures(subject: DbSubject, scene: DbScene): void {
  describe('trouble:', () => {
    beforeEach(() => scene.arrange());

    describe('drift', () => {
      for (const [some, options] of rows(subject.drifts, 3))
        it.each(some)(
          '$what: is found, named and mended, and no data is lost',
          options,
          async ({ harm, says, loses }) => {
            await scene.stage.administer(harm(scene.spec, WEB1));
            const planned = await scene.stage.plan(scene.spec);
            expect(planned.join('\n')).toContain(says);
            expect(planned.filter((summary) => summary.startsWith('drop database'))).toEqual([]);
            expect(await scene.stage.apply(scene.spec)).toEqual(planned);
            await scene.expectConverged();
            if (loses === true) await expect(scene.data()).rejects.toThrow('keep');
            else expect(await scene.data()).toEqual(DATA);
          },
        );

      for (const [some, options] of rows(subject.drifts, 1))
        it.each(some)('$what: of one site is not drift of another', options, async ({ harm }) => {
          await scene.stage.administer(harm(scene.other, WEB1));
          expect(await scene.stage.plan(scene.spec)).toEqual([]);
          await scene.stage.apply(scene.other);
          await scene.expectConverged(scene.other);
        });

      it('a database that held content and is gone is said to be lost, not made anew', async () => {
        const spec = { ...scene.spec, holdsContent: true };
        expect(await scene.stage.plan(spec)).toEqual([]);
        await scene.stage.administer(`DROP DATABASE ${spec.database};`);
        for (const ask of [() => scene.stage.plan(spec), () => scene.stage.apply(spec)]) {
          await expect(ask()).rejects.toMatchObject({
            code: 'failed_precondition',
            message: expect.stringMatching(/content of the site/),
          });
        }
        expect(await scene.stage.sites()).toEqual([OTHER]);
      });

      it('of every kind at once is mended at once', async () => {
        // Harm after harm: some find nothing left to harm.
        for (const { harm, loses } of subject.drifts) {
          if (loses !== true) await scene.stage.administer(harm(scene.spec, WEB2)).catch(() => {});
        }
        expect(await scene.stage.apply(scene.spec)).not.toEqual([]);
        await scene.expectConverged();
        expect(await scene.data()).toEqual(DATA);
      });
    });

    describe('an interruption', () => {
      const moved = (): DbSpec => ({ ...scene.spec, password: 'another', from: [WEB2, '127.0.35.3'] });
      const cases: readonly [what: string, arrange: () => Promise<unknown>, verb: 'plan' | 'remove'][] = [
        ['an apply', () => scene.stage.remove(SITE), 'plan'],
        ['an update', () => scene.stage.apply(moved()), 'plan'],
        ['a removal', () => scene.stage.apply(scene.spec), 'remove'],
      ];
      const finish = async (verb: 'plan' | 'remove'): Promise<void> => {
        expect(await scene.stage.plan(scene.other)).toEqual([]);
        if (verb === 'plan') {
          await scene.stage.apply(scene.spec);
          await scene.expectConverged();
          await expect(scene.stage.ask(moved(), '127.0.35.3')).rejects.toThrow(subject.refusesAddress('127.0.35.3'));
        } else {
          await scene.stage.remove(SITE);
          expect(await scene.stage.remove(SITE)).toEqual([]);
          await scene.expectOthersUntouched();
        }
      };

      for (const [some, options] of rows(cases, 1))
        it.each(some)(
          'of %s between any two changes leaves what the next one completes',
          options,
          async (_what, arrange, verb) => {
            const { engine, service, host } = scene.stage;
            for (let nth = 0; ; nth++) {
              await arrange();
              const stopped = await cancelAfter(nth, host, (ctx) =>
                verb === 'plan' ? engine.plan(service, scene.spec, ctx) : engine.remove(service, SITE, undefined, ctx),
              );
              if (!stopped) {
                expect(nth).toBeGreaterThan(1);
                break;
              }
              await finish(verb);
            }
          },
        );

      for (const [some, options] of strides(cases, 4))
        it.each(some)(
          'by death in $what, at every place of $stride, is mended by the next agent',
          options,
          async ({ one: [, arrange, verb], stride }) => {
            const plan = (ctx: ActionContext) =>
              verb === 'plan'
                ? subject.createEngine().plan(scene.stage.service, scene.spec, ctx)
                : subject.createEngine().remove(scene.stage.service, SITE, undefined, ctx);
            const end = await dieAtEach(stride, scene.stage.host, arrange, plan, () => finish(verb));
            expect(end).toBeGreaterThan(Math.max(2, stride));
          },
        );
    });

    describe('a name that is none of a site', () => {
      const wrong: readonly (readonly [what: string, change: (of: DbSpec) => DbSpec])[] = [
        ['a database of the server', (of) => ({ ...of, database: subject.system })],
        ['the database of another site', (of) => ({ ...of, database: scene.other.database })],
        ['the user of another site', (of) => ({ ...of, user: scene.other.user })],
        ['the administrator', (of) => ({ ...of, user: 'root' })],
        ['SQL in a database', (of) => ({ ...of, database: `${of.database}\`; DROP DATABASE mysql; --` })],
        ['SQL in a user', (of) => ({ ...of, user: `${of.user}'@'%' IDENTIFIED BY 'x'; --` })],
        ['SQL in a site', (of) => ({ ...of, siteId: "site-1' OR '1'='1" })],
        ['a pattern as a site', (of) => ({ ...of, siteId: 'site-%', database: 'site_%', user: 's_%' })],
        ['everywhere as an address', (of) => ({ ...of, from: ['%'] })],
        ['a pattern as an address', (of) => ({ ...of, from: ['127.0.35.%'] })],
        ['a network as an address', (of) => ({ ...of, from: ['127.0.0.0/255.0.0.0'] })],
        ['a pattern in the zone of an address', (of) => ({ ...of, from: ['fe80::1%eth0'] })],
        ['a host name as an address', (of) => ({ ...of, from: ['web.example.org'] })],
        ['SQL as an address', (of) => ({ ...of, from: ["127.0.0.1' IDENTIFIED BY 'x'; --"] })],
        ['nothing as an address', (of) => ({ ...of, from: [WEB1, ''] })],
      ];
      for (const [some, options] of rows(wrong, 3))
        it.each(some)('is refused before anything is asked of the server: %s', options, async (_what, change) => {
          scene.stage.commands.length = 0;
          await expect(scene.stage.plan(change(scene.spec))).rejects.toMatchObject({ code: 'invalid_argument' });
          expect(scene.stage.commands).toEqual([]);
        });

      const names = ["site-1' OR '1'='1", '', 'site-', 'site-%', 'site-________________', 'mysql', '../..', `${SITE}x`];
      for (const [some, options] of rows(names, 1))
        it.each(some)('is refused by a removal: %j', options, async (siteId) => {
          await expect(scene.stage.remove(siteId)).rejects.toMatchObject({ code: 'invalid_argument' });
          await scene.expectConverged();
        });
    });

    describe('a server that is down', () => {
      it('fails everything with a clear error that says what to do, and nothing is lost', async () => {
        const { engine, service, ctx, daemon } = scene.stage;
        const changed = { ...scene.spec, password: 'never-told' };
        const changes = await engine.plan(service, changed, ctx);
        await daemon.stop();
        try {
          for (const act of [
            () => engine.plan(service, changed, ctx),
            () => runChanges(changes, ctx),
            () => engine.remove(service, SITE, changed, ctx),
            () => engine.inspect(service, ctx),
          ]) {
            const failed: Error = await act().then(
              () => expect.unreachable('the server is down'),
              (thrown: Error) => thrown,
            );
            expect(failed).toMatchObject({ code: 'unavailable' });
            expect(failed.message).toMatch(/^cannot .+: .*does not answer on .*; /);
            expect(failed.message).toContain(daemon.socket);
            expect(failed.message).not.toContain(changed.password);
          }
          const findings = await engine.check(service, ctx);
          expect(findings.map(({ level }) => level)).toEqual(['error']);
          const [detected] = await engine.detect(scene.stage.host);
          expect(detected?.running).toBe(false);
        } finally {
          await daemon.start();
        }
        await scene.expectConverged();
        expect(await scene.data()).toEqual(DATA);
      });
    });
  });
}
