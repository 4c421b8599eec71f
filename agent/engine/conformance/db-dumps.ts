// What a db engine's dumps and restores do: a part of the conformance suite (db.ts).
import { beforeEach, describe, expect, it } from 'vitest';
import type { DbSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { type ActionContext, canDump, type DumpFacts, type Dumping } from '../engine.ts';
import { DATA, type DbScene, SITE } from './db-scene.ts';
import { type DbDumps, type DbSubject, WEB1 } from './db-stage.ts';
import { rows } from './rows.ts';

export function describeDbDumps(subject: DbSubject, dumps: DbDumps, scene: DbScene): void {
  const its = (): { readonly engine: Dumping; readonly ctx: ActionContext } => {
    const { engine, ctx } = scene.stage;
    if (!canDump(engine)) throw new Error('it does not dump');
    return { engine, ctx };
  };
  const dump = async (spec: DbSpec, tell?: (facts: DumpFacts) => void): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    const { engine, ctx } = its();
    for await (const chunk of engine.dump(scene.stage.service, spec, ctx, tell)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  async function* inPieces(bytes: Buffer, size = 10_000): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const restore = (spec: DbSpec, bytes: Buffer | AsyncIterable<Uint8Array>): Promise<void> =>
    its().engine.restore(scene.stage.service, spec, Buffer.isBuffer(bytes) ? inPieces(bytes) : bytes, its().ctx);
  const content = (spec: DbSpec) => its().engine.content(scene.stage.service, spec, its().ctx);
  const look = (spec: DbSpec): Promise<readonly string[]> => scene.stage.ask(spec, WEB1, dumps.look);

  describe('dumps:', () => {
    beforeEach(async () => {
      await scene.stage.remove(SITE);
      await scene.arrange();
    });

    describe('a dump', () => {
      it('restored elsewhere is the same there: to the site, and to the byte when it is dumped again', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        const before = await look(scene.spec);
        expect(before.length).toBeGreaterThan(5);
        const told: DumpFacts[] = [];
        const first = await dump(scene.spec, (facts) => told.push(facts));
        expect(told).toHaveLength(1);
        expect((await dump(scene.spec)).equals(first)).toBe(true);
        await restore(scene.other, first);
        expect(await look(scene.other)).toEqual(before);
        expect(String(await dump(scene.other))).toBe(String(first));
        expect(await content(scene.other)).toMatchObject({ tables: (await content(scene.spec)).tables });
        // What is defined there works for the site, and goes on when its web servers are others.
        await scene.stage.apply({ ...scene.other, from: ['127.0.35.3'] });
        expect(await scene.stage.ask(scene.other, '127.0.35.3', dumps.use)).toEqual(dumps.used);
        await scene.stage.apply(scene.other);
        await scene.expectConverged();
        await scene.expectConverged(scene.other);
      });

      it('names neither the database nor its user, and has no secret', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        const text = String(await dump(scene.spec));
        for (const name of [scene.spec.database, scene.spec.user, scene.spec.password, 'localhost']) {
          expect(text).not.toContain(name);
        }
      });

      it('of an empty database empties another one', async () => {
        const { database } = scene.spec;
        await scene.stage.remove(SITE);
        await scene.stage.apply(scene.spec);
        const empty = await dump(scene.spec);
        expect(await content(scene.spec)).toMatchObject({ tables: 0 });
        await restore(scene.other, empty);
        expect(await content(scene.other)).toMatchObject({ tables: 0 });
        expect(String(empty)).not.toContain(database);
      });

      it('is one state, though the site goes on writing', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.pairs.make);
        let isOver = false;
        const writing = (async () => {
          let written = 0;
          for (; !isOver; written++) await scene.stage.ask(scene.spec, WEB1, dumps.pairs.write);
          return written;
        })();
        const taken = [await dump(scene.spec), await dump(scene.spec), await dump(scene.spec)];
        isOver = true;
        expect(await writing).toBeGreaterThan(1);
        for (const each of taken) {
          await restore(scene.other, each);
          const [one, another] = await scene.stage.ask(scene.other, WEB1, dumps.pairs.look);
          expect(one).toBe(another);
        }
      });

      it('is given up when its reader leaves', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        const { engine, ctx } = its();
        for await (const _chunk of engine.dump(scene.stage.service, scene.spec, ctx)) break;
        expect((await dump(scene.spec)).length).toBeGreaterThan(1000);
      });

      it('tells its tables and bytes', async () => {
        const before = await content(scene.spec);
        expect(before.tables).toBe(1);
        await scene.stage.ask(scene.spec, WEB1, 'CREATE TABLE more (a INT); CREATE VIEW seen AS SELECT a FROM more;');
        expect(await content(scene.spec)).toEqual({ tables: 3, bytes: expect.any(Number) });
      });
    });

    describe('a restore', () => {
      it('leaves nothing of what was there before, and account, rights and others as they are', async () => {
        const small = await dump(scene.spec);
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        await restore(scene.spec, small);
        expect(String(await dump(scene.spec))).toBe(String(small));
        expect(await scene.data()).toEqual(DATA);
        await scene.expectConverged();
      });

      it('that was cut off in the middle is done by another one', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        const whole = await dump(scene.spec);
        async function* breaking(): AsyncGenerator<Uint8Array> {
          yield whole.subarray(0, whole.length / 2);
          throw new Error('the line is cut');
        }
        await expect(restore(scene.spec, breaking())).rejects.toThrow('the line is cut');
        const abort = new AbortController();
        async function* stalling(): AsyncGenerator<Uint8Array> {
          yield whole.subarray(0, whole.length / 2);
          abort.abort();
          await new Promise(() => {});
        }
        const cancelled = its().engine.restore(scene.stage.service, scene.spec, stalling(), {
          ...its().ctx,
          signal: abort.signal,
        });
        await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
        for (const point of ['agent.db.emptied', 'agent.db.restored']) {
          const dying = its().engine.restore(scene.stage.service, scene.spec, inPieces(whole), {
            ...its().ctx,
            failpoint: (name) => {
              if (name === point) throw new Error(`died at ${name}`);
            },
          });
          await expect(dying).rejects.toThrow(`died at ${point}`);
        }
        await restore(scene.spec, whole);
        expect(String(await dump(scene.spec))).toBe(String(whole));
        await scene.expectConverged();
      });

      it('says so when the dump ends too early or is none; of one that is none the content stays', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        const whole = await dump(scene.spec);
        for (const bytes of [Buffer.alloc(0), Buffer.from('DROP TABLE keep;'), Buffer.alloc(100_000)]) {
          await expect(restore(scene.spec, bytes)).rejects.toMatchObject({ code: 'failed_precondition' });
        }
        expect((await dump(scene.spec)).equals(whole)).toBe(true);
        await expect(restore(scene.spec, whole.subarray(0, whole.length - 5))).rejects.toMatchObject({
          code: 'data_loss',
          message: expect.stringMatching(/^cannot restore .*the dump was cut; /),
        });
        await restore(scene.spec, whole);
      });

      for (const [some, options] of rows(dumps.hostile, 2))
        it.each(some)('gains nothing by $what', options, async ({ sql }) => {
          const whole = String(await dump(scene.other));
          const at = whole.lastIndexOf('\n', whole.length - 2) + 1;
          const evil = sql({ spec: scene.other, victim: scene.spec });
          const before = await scene.stage.administer(dumps.guarded);
          // Whether it is refused or does nothing is the server's choice.
          await restore(scene.other, Buffer.from(`${whole.slice(0, at)}${evil}\n${whole.slice(at)}`)).catch(
            (thrown) => {
              expect(thrown).toMatchObject({ name: 'AegirError', message: expect.not.stringContaining('secret-of') });
            },
          );
          expect(await scene.stage.administer(dumps.guarded)).toEqual(before);
          expect(await scene.data()).toEqual(DATA);
          await scene.expectConverged();
          await restore(scene.other, Buffer.from(whole));
          await scene.expectConverged(scene.other);
        });

      it('refuses a name that is none of a site before anything is asked', async () => {
        const whole = await dump(scene.spec);
        scene.stage.commands.length = 0;
        for (const wrong of [{ database: subject.system }, { user: 'root' }, { database: scene.other.database }]) {
          const spec = { ...scene.spec, ...wrong };
          await expect(dump(spec)).rejects.toMatchObject({ code: 'invalid_argument' });
          await expect(restore(spec, whole)).rejects.toMatchObject({ code: 'invalid_argument' });
          await expect(content(spec)).rejects.toMatchObject({ code: 'invalid_argument' });
        }
        expect(scene.stage.commands).toEqual([]);
      });

      it('says that the server is down', async () => {
        const whole = await dump(scene.spec);
        await scene.stage.daemon.stop();
        try {
          for (const act of [() => dump(scene.spec), () => restore(scene.spec, whole), () => content(scene.spec)]) {
            await expect(act()).rejects.toMatchObject({
              code: 'unavailable',
              message: expect.stringMatching(/does not answer on .*; /),
            });
          }
        } finally {
          await scene.stage.daemon.start();
        }
        expect(await scene.data()).toEqual(DATA);
      });

      it('gives its secrets to no argument, log or progress', async () => {
        const whole = await dump(scene.spec);
        scene.stage.commands.length = 0;
        await restore(scene.spec, whole);
        const secrets = scene.stage.commands.flatMap(({ env = {} }) =>
          Object.entries(env).flatMap(([name, value]) =>
            name.includes('PASS') || name.includes('PWD') ? [value] : [],
          ),
        );
        expect(secrets).not.toEqual([]);
        const seen = JSON.stringify([scene.stage.commands.map(({ argv }) => argv), scene.stage.said]);
        for (const secret of secrets) expect(seen).not.toContain(secret);
      });
    });

    describe('a frozen site', () => {
      const frozen = (): DbSpec => ({ ...scene.spec, frozen: true });

      it('lets nobody in, and who was in is out; what it holds and may stays, and comes back with it', async () => {
        const ended = scene.stage.ask(scene.spec, WEB1, subject.wait).then(
          () => 'it was let finish',
          () => 'ended',
        );
        await expect.poll(() => scene.stage.administer(subject.connected)).toContain(scene.spec.user);
        const planned = await scene.stage.plan(frozen());
        expect(await scene.stage.apply(frozen())).toEqual(planned);
        expect(await ended).toBe('ended');
        expect(await scene.stage.administer(subject.connected)).not.toContain(scene.spec.user);
        expect(await scene.stage.plan(frozen())).toEqual([]);
        for (const address of scene.spec.from) await expect(scene.stage.ask(scene.spec, address)).rejects.toThrow();
        await scene.expectConverged(scene.other);
        expect(await scene.stage.plan(scene.spec)).not.toEqual([]);
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
        expect(await scene.data()).toEqual(DATA);
      });

      it('is made frozen, and is dumped and restored as another', async () => {
        await scene.stage.ask(scene.spec, WEB1, dumps.rich);
        const whole = await dump(scene.spec);
        await scene.stage.remove(SITE);
        await scene.stage.apply(frozen());
        expect(await scene.stage.plan(frozen())).toEqual([]);
        await restore(frozen(), whole);
        expect(await scene.stage.plan(frozen())).toEqual([]);
        await expect(scene.stage.ask(scene.spec, WEB1)).rejects.toThrow();
        expect(String(await dump(frozen()))).toBe(String(whole));
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      });

      for (const [some, options] of rows(dumps.thaws, 1))
        it.each(some)('$what: is found and mended', options, async ({ harm, says }) => {
          await scene.stage.apply(frozen());
          await scene.stage.administer(harm(scene.spec, WEB1));
          expect((await scene.stage.plan(frozen())).join('\n')).toContain(says);
          await scene.stage.apply(frozen());
          expect(await scene.stage.plan(frozen())).toEqual([]);
          await expect(scene.stage.ask(scene.spec, WEB1)).rejects.toThrow();
          await scene.stage.apply(scene.spec);
          await scene.expectConverged();
        });

      it('is removed like any other', async () => {
        await scene.stage.apply(frozen());
        await scene.stage.remove(SITE, frozen());
        expect(await scene.stage.remove(SITE)).toEqual([]);
        await scene.expectOthersUntouched();
        await scene.stage.apply(scene.spec);
        await scene.expectConverged();
      });
    });
  });
}
