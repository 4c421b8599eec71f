// A dump from one agent to another: its bytes as they were, only what changed on the way again, and nothing but a dump.
import { createCipheriv, createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { SnapshotFacts } from '../../shared/gen/aegir/v1/backup.ts';
import { createMeshRig, type MeshRig, type Passport } from '../mesh/rig.ts';
import { type Keeper, openKeeper, SITE, sourceOf } from './rig.ts';

const [A, B] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb'];
let rig: MeshRig;
let passports: { readonly a: Passport; readonly b: Passport };
let a: Keeper;
let b: Keeper;

beforeAll(async () => {
  rig = await createMeshRig();
  passports = { a: await rig.passport(A), b: await rig.passport(B) };
});
beforeEach(async () => {
  a = openKeeper(passports.a);
  b = openKeeper(passports.b);
  for (const each of [a, b]) await vi.waitFor(() => expect(each.mesh.state()).toBe('connected'), 10_000);
});
afterEach(async () => {
  await Promise.all([a.close(), b.close()]);
  for (const { id } of [a, b]) rmSync(join(rig.dir, id), { recursive: true, force: true });
});
afterAll(() => rig.close());

const noise = (size: number) =>
  createCipheriv('aes-256-ctr', Buffer.alloc(32, 7), Buffer.alloc(16)).update(Buffer.alloc(size)).toString('base64');
async function* pieces(text: string, size = 70_001) {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}
const facts = async () => ({ entries: 12, position: 'binlog.000001:4' });
const id = (letter: string) => `snap-${letter.repeat(16)}`;

async function restored(source: ReturnType<typeof sourceOf>, again = false) {
  const parts: Buffer[] = [];
  const answer = await b.backups.restores.dump(
    SITE.id,
    async (dump) => {
      for await (const piece of dump) parts.push(Buffer.from(piece));
      return 12;
    },
    {
      ...{ transfers: b.transfers, source, signal: new AbortController().signal },
      ...{ onLooked: () => {}, onTransfer: () => {}, onRestored: () => {}, onWarning: () => {} },
    },
    again,
  );
  return { answer, text: Buffer.concat(parts).toString() };
}
const source = (name: string, snapshot: SnapshotFacts) => sourceOf(rig, a, b, name, snapshot);

test('a dump arrives as it was, and of the next one what changed alone', async () => {
  const text = `-- dump\n${noise(9_000_000)}\n`;
  const first = await a.backups.snapshots.takeDump(id('a'), pieces(text), facts, {});
  expect(first).toMatchObject({ entries: 12n, position: 'binlog.000001:4', readBytes: BigInt(text.length) });
  const one = await restored(source(id('a'), first), true);
  expect(createHash('sha256').update(one.text).digest('hex')).toBe(createHash('sha256').update(text).digest('hex'));
  expect(one.answer).toMatchObject({ complete: true, written: 12n, entries: 12n, writtenBytes: BigInt(text.length) });

  const changed = `${text.slice(0, 4_000_000)}-- a new row\n${text.slice(4_000_000)}`;
  const second = await a.backups.snapshots.takeDump(id('b'), pieces(changed, 1_500_000), facts, {});
  const two = await restored(source(id('b'), second), true);
  expect(two.text === changed).toBe(true);
  expect(Number(one.answer.receivedBytes)).toBeGreaterThanOrEqual(text.length);
  expect(Number(two.answer.receivedBytes)).toBeLessThan(3 * 1024 * 1024);

  // The last one leaves nothing: whoever comes after it brings all.
  expect(await restored(source(id('b'), second))).toMatchObject({ answer: { receivedBytes: 0n } });
  expect(Number((await restored(source(id('b'), second))).answer.receivedBytes)).toBeGreaterThanOrEqual(text.length);
});

test('an empty dump is one, too; a dump that fails leaves nothing', async () => {
  const empty = await a.backups.snapshots.takeDump(id('c'), pieces(''), facts, {});
  expect((await restored(source(id('c'), empty))).text).toBe('');
  async function* failing() {
    yield Buffer.alloc(3_000_000);
    throw new Error('the server went away');
  }
  await expect(a.backups.snapshots.takeDump(id('d'), failing(), facts, {})).rejects.toThrow(/went away/);
  await expect(restored(source(id('d'), empty))).rejects.toMatchObject({ code: 'not_found' });
});

test('the files of a site are no dump; a dump is none of the files of a site', async () => {
  const files = await a.take(id('e'));
  await expect(restored(source(id('e'), files))).rejects.toMatchObject({
    ...{ code: 'permission_denied', message: expect.stringMatching(/no dump of a database/) },
  });
  const dump = await a.backups.snapshots.takeDump(id('f'), pieces('-- dump'), facts, {});
  await expect(b.restore(source(id('f'), dump))).rejects.toMatchObject({
    ...{ code: 'permission_denied', message: expect.stringMatching(/lies outside of the trees/) },
  });
});
