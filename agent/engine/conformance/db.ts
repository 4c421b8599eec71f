// The one conformance suite of type db: what every db engine does, run against its real server. An engine is plugged in by
// describeDbEngine(subject) in a *.daemon.test.ts of its own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canMeasure } from '../engine.ts';
import { describeDbDumps } from './db-dumps.ts';
import { describeDbFailures } from './db-failures.ts';
import { createDbScene, DATA, OTHER, SITE } from './db-scene.ts';
import { type DbSubject, STRANGER, WEB1, WEB2 } from './db-stage.ts';
import { rows } from './rows.ts';

export function describeDbEngine(subject: DbSubject): void {
  describe(`db/${subject.name}`, () => {
    const scene = createDbScene();
    const measured = () => {
      const { engine, service, ctx } = scene.stage;
      return canMeasure(engine) ? engine.measure(service, ctx) : Promise.reject(new Error('it does not measure'));
    };
    beforeAll(() => scene.open(subject));
    afterAll(() => scene.close());

    describe('a server', () => {
      it('is detected, with its version, port and socket', async () => {
        const [detected, ...more] = await scene.stage.engine.detect(scene.stage.host);
        expect(more).toEqual([]);
        expect(detected).toMatchObject({ type: 'db', engine: subject.name, running: true, manageable: true });
        expect(detected?.version).toMatch(/^\d+\.\d+/);
        expect(detected?.ports).toEqual([scene.stage.daemon.port]);
        expect(detected?.socket).toBe(scene.stage.daemon.socket);
      });

      it('is found sound by check', async () => {
        const findings = await scene.stage.engine.check(scene.stage.service, scene.stage.ctx);
        expect(findings.length).toBeGreaterThan(0);
        expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
      });

      it('has nothing of ours at first, whatever the databases of others are called', async () => {
        expect(await scene.stage.engine.inspect(scene.stage.service, scene.stage.ctx)).toEqual([]);
        expect(await measured()).toEqual([]);
      });
    });

    describe('a site', () => {
      it('is not there before its plan is run', async () => {
        const planned = await scene.stage.plan(scene.spec);
        expect(planned.join('\n')).toContain(`create database ${scene.spec.database}`);
        expect(await scene.stage.sites()).toEqual([]);
        await expect(scene.stage.ask(scene.spec, WEB1)).rejects.toThrow();
      });

      it('is there once applied, and applying it again changes nothing', async () => {
        const planned = await scene.stage.plan(scene.spec);
        expect(await scene.stage.apply(scene.spec)).toEqual(planned);
        expect(await scene.stage.apply(scene.spec)).toEqual([]);
        await scene.expectConverged();
        expect(await scene.stage.sites()).toEqual([SITE]);
      });

      it('is measured, alone of all databases', async () => {
        const [before, ...more] = await measured();
        expect([before?.siteId, more]).toEqual([SITE, []]);
        await scene.stage.ask(scene.spec, WEB1, 'CREATE TABLE measured (filler TEXT)');
        const row = `INSERT INTO measured VALUES ${Array.from({ length: 500 }, (_, n) => `('${n}${'x'.repeat(2000)}')`).join()}`;
        await scene.stage.ask(scene.spec, WEB1, row);
        const [after] = await measured();
        expect((after?.bytes ?? 0) - (before?.bytes ?? 0)).toBeGreaterThan(0);
        expect(after?.bytes).toBeLessThan(100_000_000);
        await scene.stage.ask(scene.spec, WEB1, 'DROP TABLE measured');
      });

      it('keeps any character', async () => {
        await scene.arrange();
        expect(await scene.data()).toEqual(DATA);
      });

      it('is applied while another one is, and neither loses', async () => {
        for (const siteId of [SITE, OTHER]) await scene.stage.remove(siteId);
        await Promise.all([scene.stage.apply(scene.spec), scene.stage.apply(scene.other)]);
        await scene.expectConverged(scene.spec);
        await scene.expectConverged(scene.other);
        expect(await scene.stage.sites()).toEqual([SITE, OTHER]);
      });

      it('reaches no database but its own, neither that of another site nor one with a name alike', async () => {
        await scene.arrange();
        const { everybodys, visible } = subject;
        if (visible !== undefined) {
          const seen = await scene.stage.ask(scene.spec, WEB1, visible);
          expect(seen.filter((name) => !everybodys.includes(name))).toEqual([scene.spec.database]);
        }
        const all = await scene.stage.administer(subject.databases);
        const alike = [scene.other.database, scene.spec.database.replace('_', 'X'), subject.system];
        expect(all).toEqual(expect.arrayContaining([...alike, scene.spec.database]));
        for (const database of all) {
          if (database === scene.spec.database || everybodys.includes(database)) continue;
          await expect(scene.stage.ask(scene.spec, WEB1, 'SELECT 1;', database)).rejects.toThrow(database);
        }
      });

      it('is let in from its web servers only: a new one at once, a former one no longer', async () => {
        await scene.arrange();
        await expect(scene.stage.ask(scene.spec, STRANGER)).rejects.toThrow(subject.refusesAddress(STRANGER));
        const moved = { ...scene.spec, from: [WEB2, STRANGER] };
        await scene.stage.apply(moved);
        expect(await scene.stage.plan(moved)).toEqual([]);
        expect(await scene.stage.ask(scene.spec, STRANGER)).toEqual(['1']);
        await expect(scene.stage.ask(scene.spec, WEB1)).rejects.toThrow(subject.refusesAddress(WEB1));
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
        expect(await scene.data()).toEqual(DATA);
      });

      it('has no connection left from a former web server', async () => {
        await scene.arrange();
        await scene.stage.apply({ ...scene.spec, from: [WEB1, WEB2, STRANGER] });
        const ended = scene.stage.ask(scene.spec, STRANGER, subject.wait).then(
          () => 'it was let finish',
          () => 'ended',
        );
        await expect.poll(() => scene.stage.administer(subject.connected)).toContain(scene.spec.user);
        await scene.stage.apply(scene.spec);
        expect(await ended).toBe('ended');
        expect(await scene.stage.administer(subject.connected)).not.toContain(scene.spec.user);
        await scene.expectConverged();
      });

      for (const [some, options] of rows(subject.moods, 2))
        it.each(some)('is the same on a server with $what', options, async ({ set, undo }) => {
          await scene.arrange();
          await scene.stage.administer(set);
          try {
            expect(await scene.stage.plan(scene.spec)).toEqual([]);
            await scene.stage.remove(SITE);
            await scene.stage.apply({ ...scene.spec, from: [WEB1] });
            await scene.stage.apply(scene.spec);
            await scene.expectConverged();
          } finally {
            await scene.stage.administer(undo);
          }
          await scene.expectConverged();
        });

      it('is converged however an address is spelled or repeated', async () => {
        const spelled = { ...scene.spec, from: [WEB1, WEB1, '2001:DB8:0:0::1', '2001:db8::1', `::ffff:${WEB2}`] };
        await scene.stage.apply(spelled);
        expect(await scene.stage.plan(spelled)).toEqual([]);
        expect(await scene.stage.ask(spelled, WEB2)).toEqual(['1']);
        const { engine, service, ctx } = scene.stage;
        expect(await engine.plan(service, { ...scene.spec, from: [WEB1, '2001:db8::1', WEB2] }, ctx)).toEqual([]);
        await scene.stage.apply(scene.spec);
      });

      it('has the new password at once when it is changed, and the old one is refused', async () => {
        await scene.arrange();
        const changed = { ...scene.spec, password: `a'b"c\\d$e\`f\`%;--🗝` };
        expect(await scene.stage.apply(changed)).not.toEqual([]);
        for (const address of changed.from) {
          expect(await scene.stage.ask(changed, address)).toEqual(['1']);
          await expect(scene.stage.ask(scene.spec, address)).rejects.toThrow(subject.refusesLogin(scene.spec, address));
        }
        await scene.expectConverged(changed);
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
        expect(await scene.data()).toEqual(DATA);
      });

      it('gives its secret to no argument, environment, log, summary or record of the server', async () => {
        const secret = { ...scene.spec, password: 'nobody-else-shall-see-this' };
        const { commands, said } = scene.stage;
        commands.length = 0;
        said.length = 0;
        await scene.stage.administer(subject.recording.start);
        await scene.stage.apply(secret);
        await scene.stage.remove(SITE, secret);
        await scene.stage.apply(secret);
        await scene.stage.administer(subject.recording.stop);
        const recorded = (await scene.stage.administer(subject.recording.read)).join('\n');
        expect(recorded).toContain(secret.user);
        expect(recorded).not.toContain(secret.password);
        expect(recorded).not.toContain(subject.hashed(secret.password));
        // Replicas need the accounts, so what they read may hold the hash, but not what it was made of.
        const replicated = (await scene.stage.administer(subject.recording.replicated)).join('\n');
        expect(replicated).toContain(secret.user);
        expect(replicated).not.toContain(secret.password);
        expect(commands.length).toBeGreaterThan(5);
        expect(said.length).toBeGreaterThan(5);
        const seen = JSON.stringify([commands.map(({ argv, env, cwd }) => [argv, env, cwd]), said]);
        expect(seen).not.toContain(secret.password);
        expect(seen).not.toContain(subject.hashed(secret.password));
        await scene.stage.apply(scene.spec);
      });
    });

    describeDbFailures(subject, scene);
    if (subject.dumps !== undefined) describeDbDumps(subject, subject.dumps, scene);

    describe('removal', () => {
      it('takes everything of the site, leaves the others, and may be repeated', async () => {
        await scene.arrange();
        expect((await scene.stage.remove(SITE, scene.spec)).length).toBeGreaterThan(0);
        await expect(scene.stage.ask(scene.spec, WEB1)).rejects.toThrow(subject.refusesLogin(scene.spec, WEB1));
        expect(await scene.stage.sites()).toEqual([OTHER]);
        expect(await scene.stage.remove(SITE, scene.spec)).toEqual([]);
        const everything = (await scene.stage.administer(subject.everythingBut([scene.other]))).join('\n');
        expect(everything).not.toMatch(new RegExp(`\\b${scene.spec.database}\\b|\\b${scene.spec.user}\\b`));
        await scene.expectConverged(scene.other);
      });

      it('needs no spec, takes users from elsewhere too, and of a site that never was is nothing', async () => {
        await scene.stage.apply({ ...scene.other, from: [WEB1, WEB2, STRANGER] });
        expect(await scene.stage.remove('site-zzzzzzzzzzzzzzzz')).toEqual([]);
        expect((await scene.stage.remove(OTHER)).length).toBeGreaterThan(0);
        for (const address of [WEB1, WEB2, STRANGER]) {
          await expect(scene.stage.ask(scene.other, address)).rejects.toThrow(
            subject.refusesLogin(scene.other, address),
          );
        }
        expect(await scene.stage.engine.inspect(scene.stage.service, scene.stage.ctx)).toEqual([]);
        await scene.expectOthersUntouched();
      });

      for (const [some, options] of rows(subject.drifts, 2))
        it.each(some)('of what somebody began to remove by hand goes on: $what', options, async ({ harm }) => {
          await scene.stage.apply(scene.spec);
          await scene.stage.administer(harm(scene.spec, WEB1));
          await scene.stage.remove(SITE);
          expect(await scene.stage.remove(SITE)).toEqual([]);
          expect(await scene.stage.sites()).not.toContain(SITE);
          await scene.expectOthersUntouched();
        });
    });
  });
}
