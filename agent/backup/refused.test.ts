// Archives that must not be restored: told before anything of the site is touched.
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createIndexWriter } from './caibx-file.ts';
import type { Entry } from './entry.ts';
import { openPack, type Pack } from './pack.ts';
import { openPartBytes } from './part-bytes.ts';
import { checkPart } from './part-entries.ts';
import { checkDump } from './read-dump.ts';
import { encodeHeader, padding } from './tar-header.ts';

let dir: string;
let pack: Pack;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-refused-'));
  pack = openPack(join(dir, 'pack'), { compress: false, verify: false });
});
afterEach(() => {
  pack.close();
  rmSync(dir, { recursive: true });
});

const BASE = { mode: 0o755, size: 0, mtimeNs: 10n ** 18n, owner: { user: 'site', group: 'site' }, target: '' } as const;
const folder = (path: string): Entry => ({ ...BASE, path, kind: 'directory' });
const file = (path: string, size = 3): Entry => ({ ...BASE, path, kind: 'file', mode: 0o644, size });
const link = (path: string, target: string): Entry => ({ ...BASE, path, kind: 'link', mode: 0o777, target });
const END = Buffer.alloc(1024);

function bytesOf(entries: readonly (Entry | Buffer)[]): Buffer {
  return Buffer.concat(
    entries.flatMap((each) =>
      Buffer.isBuffer(each) ? [each] : [encodeHeader(each), Buffer.alloc(each.size + padding(each.size))],
    ),
  );
}

/** Cut wherever it comes to: what is checked must not depend on it. */
function partOf(bytes: Buffer) {
  const path = join(dir, 'index.caibx');
  const writer = createIndexWriter(path);
  for (let at = 0; at < bytes.length; at += 700) {
    const chunk = bytes.subarray(at, at + 700);
    const id = hash('sha256', chunk, 'buffer');
    pack.put(id, chunk);
    writer.add(id, chunk.length);
  }
  writer.finish();
  return openPartBytes(path, pack, undefined);
}

const check = (entries: readonly (Entry | Buffer)[], trees: readonly string[] = ['files']) =>
  checkPart(partOf(bytesOf(entries)), trees, () => {});

test('what Aegir makes is taken, with its end and without', () => {
  const good = [
    ...[folder('files'), file('files/a'), folder('files/b'), file('files/b/c', 5000), link('files/b/d', '/etc/passwd')],
    ...[file('files/b-e'), link('files/f', 'b/../../..')],
  ];
  expect(check(good)).toEqual({ entries: 5 });
  expect(check([...good, folder('private'), file('private/x'), END], ['files', 'private'])).toEqual({ entries: 6 });
  expect(check([...good, folder('private'), file('private/x'), END])).toEqual({ entries: 5 });
});

const root = folder('files');
test.each<[string, readonly (Entry | Buffer)[], RegExp]>([
  ['a way up', [root, file('files/../evil')], /files\/..\/evil leads out of the site/],
  ['a way up at its beginning', [file('../evil')], /leads out of the site/],
  ['an absolute path', [root, file('/etc/cron.d/evil')], /leads out of the site/],
  ['another tree', [folder('config'), file('config/settings.php')], /config lies outside of the trees of a site/],
  ['a file beside the trees', [file('manifest.json')], /lies outside/],
  ['a link for a tree', [link('files', '/etc')], /files is no directory/],
  ['a file through a link', [root, link('files/a', '/etc'), file('files/a/passwd')], /lies in no directory of it/],
  ['a directory over a link', [root, link('files/a', '/etc'), folder('files/a')], /is there twice/],
  ['a name twice', [root, file('files/a'), file('files/a')], /is there twice, or not in its place/],
  ['names that are not sorted', [root, file('files/b'), file('files/a')], /is there twice, or not in its place/],
  ['a file in no directory', [root, file('files/a/b')], /lies in no directory of it/],
  ['a file whose directory is another one', [root, folder('files/a'), file('files/b/c')], /lies in no directory/],
  ['a tree without its directory', [file('files/a')], /lies in no directory/],
  ['an empty name', [root, folder('files//a')], /a name that no file can have/],
  ['a name that is a dot', [root, file('files/./a')], /a name that no file can have/],
  ['a name that is too long', [root, file(`files/${'x'.repeat(256)}`)], /a name that no file can have/],
  ['a zero in a name', [root, file(`files/${'x'.repeat(100)}\0y`)], /a name that no file can have/],
  ["a name of Aegir's own", [root, file('files/.aegir-tmp-1')], /Aegir's own/],
  ['a directory that has content', [root, { ...folder('files/a'), size: 600 }], /content that it cannot have/],
  ['a link to nothing', [root, link('files/a', '')], /a link that leads to what cannot be/],
  ['a link that is too long', [root, link('files/a', 'x'.repeat(5000))], /a link that leads to what cannot be/],
  ['no such tree', [folder('private')], /it has no files/],
  ['an end in the middle', [root, END, file('files/a')], /something follows its end/],
  ['half an end', [root, END.subarray(512)], /something follows its end|cut off/],
  ['too deep', [root, ...Array.from({ length: 210 }, (_, i) => folder(`files${'/d'.repeat(i + 1)}`))], /lies too deep/],
])('%s is refused', (_, entries, why) => {
  expect(() => check(entries)).toThrow(why);
  expect(() => check(entries)).toThrow(expect.objectContaining({ code: 'permission_denied', untouched: true }));
});

test('what is cut off is refused, wherever', () => {
  const whole = bytesOf([root, file('files/a', 2000)]);
  for (const length of [whole.length - 1, whole.length - 512, 513, 511]) {
    expect(() => check([whole.subarray(0, length)])).toThrow(/it is cut off/);
  }
});

test('of a database one dump alone is taken', () => {
  const dump = (entries: readonly (Entry | Buffer)[]) => checkDump(partOf(bytesOf(entries)));
  const sql = { ...file('database.sql', 5000), owner: { user: 'root', group: 'root' } } as const;
  expect(dump([sql])).toMatchObject({ size: 5000 });
  expect(dump([sql, END])).toMatchObject({ size: 5000 });
  expect(() => dump([root, file('files/a')])).toThrow(/no dump of a database/);
  expect(() => dump([file('../database.sql')])).toThrow(/no dump of a database/);
  expect(() => dump([link('database.sql', '/etc/passwd')])).toThrow(/no dump of a database/);
  expect(() => dump([sql, file('files/a')])).toThrow(/something follows/);
  expect(() => dump([sql, Buffer.alloc(512)])).toThrow(/something follows/);
  expect(() => dump([bytesOf([sql]).subarray(0, 3000)])).toThrow(/cut off/);
  expect(() => dump([END])).toThrow(/no dump of a database/);
});
