// Backups are removed with what only they have, and damage is found, told and healed, on real file services.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ActionHandler, Tools } from '../../action/action.ts';
import { createCheckBackup } from '../../action/check-backup.ts';
import { createFindBackups } from '../../action/find-backups.ts';
import { createPruneStore } from '../../action/prune-store.ts';
import { openFileStage } from '../../engine/conformance/file-stage.ts';
import { rows } from '../../engine/conformance/rows.ts';
import type { ActionContext } from '../../engine/engine.ts';
import type { RequestOf } from '../../validate.ts';
import { prune as pruneBy } from './prune.ts';
import { encrypted, openStoreScene, refsOf, type StoreScene } from './testing/scene.ts';
import { gitSubject, meshSubject, sftpSubject } from './testing/subjects.ts';

const KEY = 'ab'.repeat(32);
const ONE = 'bak-0000000000000001';
const TWO = 'bak-0000000000000002';
const common = randomBytes(200_000);
const first = [common, randomBytes(70_000)];
const second = [common, randomBytes(80_000), randomBytes(90_000)];

let scene: StoreScene;
const begin = async (subject: Parameters<typeof openFileStage>[0], key?: string) => {
  const stage = await openFileStage(subject);
  await stage.prepare();
  scene = openStoreScene(stage, key);
};
afterEach(async () => {
  await scene.close();
  await scene.stage.close();
});

const storeBoth = async () => ({
  one: await scene.store(scene.order([scene.part('files', first)], ONE)),
  two: await scene.store(scene.order([scene.part('files', second)], TWO)),
});
/** As the dispatch runs it. */
const act = <K extends 'pruneStore' | 'checkBackup' | 'findBackups'>(
  handler: ActionHandler<K>,
  request: Omit<RequestOf[K], 'service'>,
  part: Partial<ActionContext> = {},
) => {
  const { service, stage, stores } = scene;
  const full = { ...request, service } as unknown as RequestOf[K];
  const attempt = { resumed: false, hide: () => {} };
  return handler.run(full, { ...stage.ctx, ...part }, { stores } as unknown as Tools, attempt);
};
const prune = (backupIds: readonly string[], preview = false) =>
  act(createPruneStore(), { backupIds, preview }).then(({ prune }) => prune);
const check = (backupId: string, digest: Uint8Array, readAll: boolean) =>
  act(createCheckBackup(), { backupId, digest, readAll }).then(({ check }) => check);
const absent = (backupIds: readonly string[], beside: boolean) =>
  act(createFindBackups(), { backupIds, beside }).then((found) => found.absent?.backupIds);
const everything = () => scene.stage.world.everything();

const places = [
  { title: 'mesh', subject: meshSubject, key: undefined },
  { title: 'sftp, encrypted', subject: sftpSubject, key: KEY },
  { title: 'mesh, encrypted', subject: meshSubject, key: KEY },
  { title: 'git', subject: gitSubject, key: undefined },
  { title: 'git, encrypted', subject: gitSubject, key: KEY },
];
for (const [some, options] of rows(places, 2))
  describe.each(some)('on $title', options, ({ subject, key }) => {
    beforeEach(() => begin(subject, key));

    test('a prune takes what only the removed backups have, after a preview of the same', async () => {
      const { one, two } = await storeBoth();
      const before = await everything();
      const told = await prune([ONE], true);
      expect(told).toMatchObject({ backups: 1n, chunks: 1n, keptBackups: 1n, keptChunks: 4n });
      expect(await everything()).toEqual(before);
      expect(await prune([ONE])).toEqual(told);
      expect(await scene.read((repository) => repository.backups())).toEqual([TWO]);
      expect(await check(TWO, two.digest, true)).toMatchObject({ chunks: 4n, damaged: 0n, problems: [] });
      expect(await check(ONE, one.digest, false)).toMatchObject({
        ...{ absent: true, problems: [expect.stringMatching(/is not there/)] },
      });
      expect(await absent([ONE, TWO], false)).toEqual([ONE]);
      expect(await absent([TWO, ONE], true)).toEqual([ONE]);
      expect(await prune([ONE])).toMatchObject({ backups: 0n, chunks: 0n });
      expect(await prune([TWO])).toMatchObject({ backups: 1n, chunks: 4n, keptChunks: 0n });
      expect((await everything()).filter((name) => /chunks|backups/.test(name))).toEqual([]);
    });
  });

const kinds = [
  { title: 'plain', key: undefined },
  { title: 'encrypted', key: KEY },
];
for (const [some, options] of rows(kinds, 1))
  describe.each(some)('damage on the mesh engine, $title', options, ({ key }) => {
    beforeEach(() => begin(meshSubject, key));
    const pathOf = (object: string) => join(scene.service.settings['root'] ?? '', object);
    const objectOf = (chunk: Uint8Array) => scene.read(async ({ form }) => form.chunk(refsOf([chunk])[0]?.id ?? ''));

    test('a chunk whose content is wrong is found, told, taken away, and healed by the next backup', async () => {
      const { one } = await storeBoth();
      const object = await objectOf(common);
      const bytes = await readFile(pathOf(object));
      bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1;
      await writeFile(pathOf(object), bytes);
      expect(await check(ONE, one.digest, false)).toMatchObject({ damaged: 0n, problems: [] });
      const found = await check(ONE, one.digest, true);
      expect(found).toMatchObject({ chunks: 3n, damaged: 1n });
      expect(found?.problems).toEqual([
        expect.stringMatching(/damaged|altered|not what its digest says/),
        '1 damaged chunks were taken away; the next backup that has the same content puts them anew',
      ]);
      expect(await everything()).not.toContain(object);
      expect(await check(ONE, one.digest, false)).toMatchObject({ damaged: 1n });
      const part = one.parts[1];
      if (part === undefined) throw new Error('a part is missing');
      const { service } = scene;
      await scene.stores.offers.offer({ service, backupId: ONE, part }, scene.stage.ctx.signal);
      await expect(scene.fetch(ONE, part)).rejects.toMatchObject({ code: 'data_loss' });
      await scene.store(scene.order([scene.part('files', [common])], 'bak-0000000000000003'));
      expect(await check(ONE, one.digest, true)).toMatchObject({ damaged: 0n, problems: [] });
      expect((await scene.fetch(ONE, part)).equals(Buffer.concat(first))).toBe(true);
    });

    test('a chunk that is gone, and an index that is cut off, are found and told', async () => {
      const { one, two } = await storeBoth();
      expect(await absent([ONE, TWO], true)).toEqual([]);
      const tree = await everything();
      await rm(pathOf(await objectOf(common)));
      // The index alone, as where chunks were not copied along.
      expect(await absent([ONE, TWO], false)).toEqual([]);
      await rm(pathOf(await scene.read(async ({ form }) => form.file(`${ONE}.json`))));
      expect(await absent([ONE, TWO], true)).toContain(ONE);
      expect((await everything()).length).toBe(tree.length - 2);
      expect(await check(ONE, one.digest, false)).toMatchObject({
        ...{ chunks: 3n, damaged: 1n },
        problems: [expect.stringMatching(/^chunk [0-9a-f]{64} is not there$/)],
      });
      const index = await scene.read(async ({ form }) => form.file(`${TWO}.caibx`));
      await truncate(pathOf(index), 150);
      const problems = [expect.stringMatching(/cut off|altered/)];
      expect(await check(TWO, two.digest, false)).toMatchObject({ problems });
      // Nobody knows what it needs: nothing goes until it does.
      await expect(prune([ONE])).rejects.toMatchObject({
        code: 'data_loss',
        message: expect.stringMatching(
          /nobody knows which chunks bak-0000000000000002 needs.*delete that backup first/,
        ),
      });
      expect(await scene.read((repository) => repository.backups())).toHaveLength(2);
      expect(await prune([TWO])).toMatchObject({ backups: 1n, keptBackups: 1n });
    });

    test('a prune waits for a backup that is being kept, and takes none of its chunks', async () => {
      await storeBoth();
      let pruned: Promise<unknown> | undefined;
      // Its first chunk has come, nothing names it yet.
      scene.onSend(() => {
        pruned ??= prune([ONE, TWO]);
      });
      const parts = [scene.part('files', [common, randomBytes(100_000), randomBytes(100_000)])];
      const facts = await scene.store(scene.order(parts, 'bak-0000000000000003'));
      expect(await pruned).toMatchObject({ backups: 2n, keptBackups: 1n, keptChunks: 4n });
      expect(await check('bak-0000000000000003', facts.digest, true)).toMatchObject({ damaged: 0n, chunks: 4n });
    });

    test('a prune that does not know of a backup being kept, as by another way to the place, takes nothing that is named by then', async () => {
      await storeBoth();
      const three = 'bak-0000000000000003';
      const parts = [scene.part('files', [common, ...first, randomBytes(100_000)])];
      let digest: Uint8Array = Buffer.alloc(0);
      const pruned = await scene.read((repository) =>
        pruneBy(
          { backupIds: [ONE, TWO], preview: false },
          {
            ...repository,
            // It marked already; of the backup there is nothing yet.
            async *listChunks() {
              ({ digest } = await scene.store(scene.order(parts, three)));
              yield* repository.listChunks();
            },
          },
          scene.stage.ctx,
        ),
      );
      // The other's alone: all others are named again.
      expect(pruned).toMatchObject({ backups: 2n, chunks: 2n });
      expect(await check(three, digest, true)).toMatchObject({ damaged: 0n, problems: [] });
    });

    test('a backup whose chunks are taken away while it is made is none, and says why', async () => {
      await storeBoth();
      const object = await objectOf(common);
      const three = 'bak-0000000000000003';
      // It was there when it was looked for.
      scene.onSend(() => rmSync(pathOf(object), { force: true }));
      const parts = [scene.part('files', [common, randomBytes(100_000)])];
      await expect(scene.store(scene.order(parts, three))).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringMatching(
          /^cannot keep backup bak-0000000000000003: 1 of its chunks were taken out of the store/,
        ),
      });
      expect((await everything()).filter((name) => name.includes(three))).toEqual([]);
    });

    test('a prune that dies between indexes and chunks is finished by the next', async () => {
      const { two } = await storeBoth();
      for (const point of ['agent.prune.indexes', 'agent.prune.chunks']) {
        const failpoint = (name: string) => {
          if (name === point) throw new Error('died');
        };
        const died = act(createPruneStore(), { backupIds: [ONE], preview: false }, { failpoint });
        await expect(died).rejects.toThrow('died');
        expect(await check(TWO, two.digest, true)).toMatchObject({ damaged: 0n, problems: [] });
      }
      expect(await prune([ONE])).toMatchObject({ keptBackups: 1n, keptChunks: 4n, chunks: 0n });
      expect((await everything()).filter((name) => name.includes(ONE))).toEqual([]);
    });
  });

describe('an encrypted store', () => {
  beforeEach(() => begin(meshSubject, KEY));

  test('shows neither content nor names of chunks, and is read with its key alone', async () => {
    const words = Buffer.from('the quick brown fox '.repeat(10_000));
    const facts = await scene.store(scene.order([scene.part('files', [words, common])], ONE));
    const root = scene.service.settings['root'] ?? '';
    const names = await everything();
    const ids = refsOf([words, common]).map(({ id }) => id);
    for (const name of names) {
      for (const id of ids) expect(name).not.toContain(id);
      const bytes = await readFile(join(root, name));
      for (const plain of ['quick brown', 'example.org', 'CaFormat', 'manifest.json']) {
        expect(bytes.includes(plain), `${plain} in ${name}`).toBe(false);
      }
      for (const id of ids) expect(bytes.includes(Buffer.from(id, 'hex'))).toBe(false);
    }
    // Compressed before: words that repeat take next to nothing.
    expect(facts.storedBytes).toBeLessThan(BigInt(common.length + 10_000));
    const { ctx } = scene.stage;
    const other = encrypted(scene.stage.service, 'cd'.repeat(32));
    await expect(scene.stores.open(other, ctx)).rejects.toThrow(/encrypted by another key/);
    await expect(scene.stores.open(scene.stage.service, ctx)).rejects.toThrow(/encrypted; its key is needed/);
    for (const wrong of ['', 'ab', 'AB'.repeat(32)]) {
      const refused = scene.stores.open(encrypted(scene.stage.service, wrong), ctx);
      await expect(refused).rejects.toThrow(/secrets "encryption-key"/);
    }
  });

  test('objects that are swapped are seen as what they are', async () => {
    const [a, b] = [randomBytes(100_000), randomBytes(100_000)];
    const facts = await scene.store(scene.order([scene.part('files', [a, b])], ONE));
    const root = scene.service.settings['root'] ?? '';
    const [one = '', two = ''] = await scene.read(async ({ form }) => refsOf([a, b]).map(({ id }) => form.chunk(id)));
    const bytes = await readFile(join(root, one));
    await writeFile(join(root, one), await readFile(join(root, two)));
    await writeFile(join(root, two), bytes);
    expect(await check(ONE, facts.digest, true)).toMatchObject({ damaged: 2n });
  });

  test('takes another key, or none, once there is no backup any more', async () => {
    await scene.store(scene.order([scene.part('files', first)], ONE));
    await prune([ONE]);
    const { ctx, service } = scene.stage;
    for (const other of [encrypted(service, 'cd'.repeat(32)), service]) {
      const repository = await scene.stores.open(other, ctx);
      expect(await repository.backups()).toEqual([]);
      await repository.close();
    }
    expect(await everything()).toEqual([]);
  });

  test('is not made where backups are that are not encrypted', async () => {
    await scene.stage.world.plant('backups/bak-0000000000000001.caibx');
    await expect(scene.stores.open(scene.service, scene.stage.ctx)).rejects.toThrow(/not encrypted; delete them/);
  });
});
