// The one conformance suite of type file: what every file engine does, looked at past it in the place itself. An engine is
// plugged in by describeFileEngine(subject) in a *.daemon.test.ts of its own.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeFileFailures } from './file-failures.ts';
import { contentOf, type FileStage, type FileSubject, namesIn, openFileStage } from './file-stage.ts';
import { dieAt } from './interruption.ts';

const DIGEST = 'ab'.repeat(32);
const CHUNK = `abab/${DIGEST}.cacnk`;

export function describeFileEngine(subject: FileSubject): void {
  const title = `file/${subject.name}${subject.by === undefined ? '' : ` ${subject.by}`}`;
  describe(title, () => {
    let stage: FileStage;
    beforeEach(async () => {
      stage = await openFileStage(subject);
      await stage.prepare();
    });
    afterEach(() => stage.close());

    it('is detected where a host shows it', async () => {
      const found = await stage.engine.detect(stage.host);
      if (subject.detected !== true) return expect(found.filter(({ instance }) => instance === '')).toEqual([]);
      expect(found).toMatchObject([{ type: 'file', engine: subject.name, running: true, manageable: true }]);
    });

    it('is prepared once, and says so before', async () => {
      const fresh = await openFileStage(subject);
      try {
        const { engine, service, ctx } = fresh;
        const told = (await engine.prepare(service, ctx)).map(({ summary }) => summary);
        expect(told.length > 0).toBe(subject.prepares);
        expect(await fresh.prepare()).toEqual(told);
        expect(await fresh.prepare()).toEqual([]);
        expect(await engine.plan(service, { root: '', quotaBytes: 0n }, ctx)).toEqual([]);
      } finally {
        await fresh.close();
      }
    });

    it('is prepared whole after a death at any point of it', async () => {
      for (let nth = 1; ; nth += 1) {
        const fresh = await openFileStage(subject);
        try {
          const died = await dieAt(nth, fresh.host, (ctx) => fresh.engine.prepare(fresh.service, ctx));
          await fresh.prepare();
          expect(await fresh.prepare()).toEqual([]);
          expect(await fresh.engine.check(fresh.service, fresh.ctx)).toMatchObject([{ level: 'ok' }]);
          if (died === undefined) return;
        } finally {
          await fresh.close();
        }
      }
    });

    it('is proven by an object that is written, read back and removed, and leaves nothing', async () => {
      const before = await stage.world.everything();
      const [finding, ...more] = await stage.engine.check(stage.service, stage.ctx);
      expect(more).toEqual([]);
      expect(finding).toMatchObject({
        level: 'ok',
        text: expect.stringMatching(/wrote .*read .*back .*removed .* in \d+ ms/),
      });
      expect(await stage.world.everything()).toEqual(before);
      expect(await stage.scratch()).toEqual([]);
    });

    it('keeps objects as they are, of every size and depth', async () => {
      const objects = new Map<string, Buffer>([
        [CHUNK, randomBytes(1_200_000)],
        ['index.caibx', Buffer.from('one\r\n$Id$\0two\n')],
        ['a/b/c/d', randomBytes(10)],
        ['empty', Buffer.alloc(0)],
      ]);
      await stage.session(async (store) => {
        for (const [name, content] of objects) await store.put(name, pieces(content));
        // Seen by who put them at once.
        expect(await namesIn(store)).toEqual([...objects.keys()].sort());
        expect(await contentOf(store, CHUNK)).toEqual(objects.get(CHUNK));
      });
      const there = await stage.world.everything();
      for (const name of objects.keys()) expect(there).toContain(name);
      await stage.session(async (store) => {
        for (const [name, content] of objects) {
          expect((await contentOf(store, name)).equals(content), name).toBe(true);
          const size = subject.sizes ? content.length : undefined;
          expect(await store.stat(name)).toEqual({ name, size });
        }
        const sizes: (number | undefined)[] = [];
        for await (const { size } of store.list('abab/')) sizes.push(size);
        expect(sizes).toEqual([subject.sizes ? 1_200_000 : undefined]);
        expect(await namesIn(store, 'a/b')).toEqual(['a/b/c/d']);
        expect(await namesIn(store, 'abab/ab')).toEqual([CHUNK]);
        expect(await namesIn(store, 'nothing')).toEqual([]);
      });
    });

    it('brings objects along that are got next, by few programs, where each by itself would take one and more', async () => {
      const objects = new Map(
        Array.from({ length: 24 }, (_, at) => [`chunks/${at.toString(16).padStart(4, '0')}/chunk`, randomBytes(2000)]),
      );
      await stage.session(async (store) => {
        for (const [name, content] of objects) await store.put(name, [content]);
      });
      const store = await stage.open();
      try {
        if (store.bring === undefined) return;
        await store.bring([...objects.keys(), 'chunks/nothing']);
        const before = stage.ran.length;
        for (const [name, content] of objects) expect((await contentOf(store, name)).equals(content), name).toBe(true);
        expect(stage.ran.length).toBe(before);
        // Each once: what comes after is as it lies there then.
        const [first = ''] = objects.keys();
        await store.bring([first]);
        await store.put(first, [Buffer.from('another')]);
        expect((await contentOf(store, first)).toString()).toBe('another');
        expect((await contentOf(store, first)).toString()).toBe('another');
        await expect(contentOf(store, 'chunks/nothing')).rejects.toMatchObject({ code: 'not_found' });
        await expect(store.bring(['../evil'])).rejects.toMatchObject({ code: 'invalid_argument' });
      } finally {
        await store.close();
      }
    });

    it('replaces an object, and removes it, twice as well as once', async () => {
      await stage.session((store) => store.put(CHUNK, [Buffer.from('first')]));
      await stage.session((store) => store.put(CHUNK, [Buffer.from('the second')]));
      await stage.session(async (store) => {
        expect((await contentOf(store, CHUNK)).toString()).toBe('the second');
        await store.remove(CHUNK);
        await store.remove(CHUNK);
        expect(await store.stat(CHUNK)).toBeUndefined();
      });
      await stage.session(async (store) => {
        expect(await namesIn(store)).toEqual([]);
        await store.remove(CHUNK);
      });
      expect((await stage.world.everything()).filter((path) => path.includes('abab'))).toEqual([]);
    });

    it('keeps hundreds of objects at once, and tells which of them are there', async () => {
      const names = Array.from({ length: 300 }, (_, at) => `chunks/${at.toString(16).padStart(4, '0')}/chunk`);
      const asked = [...names, 'chunks/0000/other', 'nothing', 'chunks'];
      const known = asked.map((_, at) => at < names.length);
      await stage.session(async (store) => {
        for (const name of names) await store.put(name, [Buffer.from(name)]);
        expect(await store.present(asked)).toEqual(known);
      });
      await stage.session(async (store) => {
        expect(await store.present(asked)).toEqual(known);
        expect((await contentOf(store, names[7] ?? '')).toString()).toBe(names[7]);
        for (const name of names.slice(10)) await store.remove(name);
        expect(await store.present(asked)).toEqual(asked.map((_, at) => at < 10));
      });
      await stage.session(async (store) => expect(await namesIn(store)).toEqual(names.slice(0, 10)));
    });

    it('takes objects beside each other while it makes others durable, where it says so', async () => {
      const names = (of: string) => Array.from({ length: 40 }, (_, at) => `chunks/${1000 + at}/${of}`);
      const there = (of: string) => stage.session((other) => other.present(names(of)));
      const store = await stage.open();
      try {
        if (store.overlapping !== true) return;
        const put = (name: string) => store.put(name, [Buffer.from(name)]);
        await Promise.all(names('first').map(put));
        const flushed = store.flush();
        await Promise.all(names('second').map(put));
        await flushed;
        expect(await there('first')).not.toContain(false);
        expect(await store.present(names('second'))).not.toContain(false);
        await store.flush();
        expect(await there('second')).not.toContain(false);
        expect((await contentOf(store, 'chunks/1007/second')).toString()).toBe('chunks/1007/second');
      } finally {
        await store.close();
      }
    });

    it('gives up what was not flushed', async () => {
      const before = await stage.world.everything();
      const store = await stage.open();
      await store.put(CHUNK, [Buffer.from('x')]);
      await store.close();
      await stage.session(async (other) => expect(await other.stat(CHUNK)).toBeUndefined());
      expect(await stage.world.everything()).toEqual(before);
    });

    it('tells that an object is not there', async () => {
      await stage.session(async (store) => {
        await expect(contentOf(store, CHUNK)).rejects.toMatchObject({ code: 'not_found' });
        expect(await store.stat(CHUNK)).toBeUndefined();
        expect(await store.stat('abab')).toBeUndefined();
      });
    });

    it('shows nothing of an object that was cut off, and keeps the one before', async () => {
      await stage.session((store) => store.put('index.caibx', [Buffer.from('whole')]));
      const before = await stage.world.everything();
      async function* torn(): AsyncIterable<Uint8Array> {
        yield randomBytes(300_000);
        throw new Error('the source is gone');
      }
      await stage.session(async (store) => {
        await expect(store.put('index.caibx', torn())).rejects.toThrow(/the source is gone/);
        await expect(store.put('other', torn())).rejects.toThrow(/the source is gone/);
        expect((await contentOf(store, 'index.caibx')).toString()).toBe('whole');
        expect(await store.stat('other')).toBeUndefined();
      });
      expect(await stage.world.everything()).toEqual(before);
      expect(await stage.scratch()).toEqual([]);
    });

    it('does nothing more once it was cancelled or closed', async () => {
      const before = await stage.world.everything();
      const abort = new AbortController();
      const store = await stage.engine.openStore(stage.service, { ...stage.ctx, signal: abort.signal });
      async function* cancelled(): AsyncIterable<Uint8Array> {
        yield randomBytes(1000);
        abort.abort();
        yield randomBytes(1000);
      }
      await expect(store.put('other', cancelled())).rejects.toMatchObject({ code: 'cancelled' });
      await store.close();
      await store.close();
      await expect(store.put('other', [])).rejects.toThrow(/closed/);
      expect(await stage.world.everything()).toEqual(before);
      expect(await stage.scratch()).toEqual([]);
    });

    it('lets two put at once', async () => {
      const [one, two] = await Promise.all([stage.open(), stage.open()]);
      const names = Array.from({ length: 4 }, (_, at) => `abab/${at}`);
      await Promise.all(
        [one, two].map(async (store, of) => {
          for (const name of names.slice(of * 2, of * 2 + 2)) await store.put(name, [Buffer.from(name)]);
          await store.flush();
          await store.close();
        }),
      );
      await stage.session(async (store) => {
        expect(await namesIn(store)).toEqual(names);
        for (const name of names) expect((await contentOf(store, name)).toString()).toBe(name);
      });
    });

    it('takes no name that is none', async () => {
      const names = [
        '',
        '/',
        '/a',
        'a/',
        '../a',
        'a/../b',
        '.hidden',
        '-rf',
        'a b',
        'a\nb',
        "a'b",
        'a"b',
        'a$b',
        'ä',
        'a*',
      ];
      await stage.session(async (store) => {
        for (const name of [...names, 'a/b/c/d/e', 'a'.repeat(101)]) {
          const refused = { code: 'invalid_argument' };
          await expect(store.put(name, [Buffer.from('x')]), name).rejects.toMatchObject(refused);
          await expect(store.stat(name), name).rejects.toMatchObject(refused);
          await expect(store.remove(name), name).rejects.toMatchObject(refused);
          await expect(contentOf(store, name), name).rejects.toMatchObject(refused);
        }
      });
    });

    it('leaves alone what others have there, and does not list it', async () => {
      await stage.world.plant('A letter.txt');
      await stage.world.plant('.profile');
      const before = await stage.world.everything();
      await stage.session(async (store) => {
        expect(await namesIn(store)).toEqual([]);
        await store.put(CHUNK, [Buffer.from('x')]);
      });
      await stage.session((store) => store.remove(CHUNK));
      expect(await stage.world.everything()).toEqual(before);
    });

    it.skipIf(subject.sweeps !== true)('takes away what a crash left unfinished, a day later', async () => {
      const recent = `.aegir-tmp-${Date.now().toString(36)}-0123456789abcdef`;
      const before = await stage.world.everything();
      await stage.world.plant('.aegir-tmp-1-0123456789abcdef');
      await stage.world.plant(recent);
      await stage.session(async (store) => expect(await namesIn(store)).toEqual([]));
      expect(await stage.world.everything()).toEqual([...before, recent].sort());
    });

    describeFileFailures(subject, () => stage);
  });
}

function* pieces(content: Buffer): Iterable<Uint8Array> {
  for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000);
}
