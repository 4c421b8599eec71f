// A look at a site's files: the same while nothing was done to them, and another one after whatever a visitor does.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lookFiles } from './look-files.ts';

const owners = { siteUid: process.getuid?.() ?? 0, siteGid: process.getgid?.() ?? 0, webGid: 33 };
const saying = { check: () => {}, progress: () => {}, warn: () => {} };
let dir = '';
const at = (...path: string[]) => join(dir, ...path);
const look = () =>
  lookFiles(
    {
      trees: [
        { tree: 'files', path: at('files') },
        { tree: 'private', path: at('private') },
      ],
      owners,
    },
    saying,
  );
const hex = () => Buffer.from(look().digest).toString('hex');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-look-'));
  mkdirSync(at('files', '2026'), { recursive: true });
  mkdirSync(at('private'));
  writeFileSync(at('files', 'a.txt'), 'as it was');
  writeFileSync(at('files', '2026', 'b.txt'), 'as it was');
});
afterEach(() => rmSync(dir, { recursive: true }));

test('is the same again, and counts what is there', () => {
  const first = look();
  expect([first.digest.length, first.entries]).toEqual([32, 5]);
  expect(look()).toEqual(first);
});

test.each<readonly [string, () => void]>([
  ['a file that is new', () => writeFileSync(at('files', '2026', 'c.txt'), '')],
  ['an empty directory', () => mkdirSync(at('private', 'd'))],
  ['a file that is gone', () => rmSync(at('files', '2026', 'b.txt'))],
  ['another name', () => renameSync(at('files', 'a.txt'), at('files', 'z.txt'))],
  ['the same file in another tree', () => renameSync(at('files', 'a.txt'), at('private', 'a.txt'))],
  ['what may be done with it', () => chmodSync(at('files', 'a.txt'), 0o400)],
  ['a link', () => symlinkSync('a.txt', at('files', 'link'))],
  [
    'a restored time with another content',
    () => {
      const { atime, mtime } = statSync(at('files', 'a.txt'));
      writeFileSync(at('files', 'new'), 'AS IT WAS');
      renameSync(at('files', 'new'), at('files', 'a.txt'));
      utimesSync(at('files', 'a.txt'), atime, mtime);
    },
  ],
])('is another one for %s', (_, change) => {
  const before = hex();
  change();
  expect(hex()).not.toBe(before);
});

test('what is being put back is no change, and links lead it nowhere', () => {
  symlinkSync('/proc', at('private', 'out'));
  // The times of the directory itself are of the archive.
  const { atime, mtime } = statSync(at('files'));
  const before = look();
  writeFileSync(at('files', '.aegir-tmp-x'), 'half of it');
  utimesSync(at('files'), atime, mtime);
  const after = look();
  expect(after.entries).toBe(before.entries);
  expect(before.entries).toBe(6);
});

test('is ended when nobody waits for it', () => {
  const check = () => {
    throw new Error('cancelled');
  };
  const trees = [{ tree: 'files' as const, path: at('files') }];
  expect(() => lookFiles({ trees, owners }, { ...saying, check })).toThrow('cancelled');
});
