// What is seen of a tree is the same whoever looks, and in the order of an archive.
import { closeSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { comparePaths } from './entry.ts';
import { decodeFound } from './found-entry.ts';
import { createSight, linesOf } from './seen.ts';
import { openTree } from './tree.ts';
import { type LookAhead, listed, walk } from './walk.ts';

const sight = createSight({ siteUid: 0, siteGid: 0, webGid: 33 });
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-walk-'));
  for (const each of ['a/b/c', 'a-', 'd/1', 'd/2', 'd/3', 'd/4/5/6', 'e', 'v', 'wide']) {
    mkdirSync(join(dir, each), { recursive: true });
    for (const name of ['x', 'ü', 'y.z']) writeFileSync(join(dir, each, name), name);
    symlinkSync('../nowhere', join(dir, each, 'link'));
  }
  for (let i = 0; i < 1100; i++) writeFileSync(join(dir, 'wide', `w${i}`), '');
});
afterEach(() => rmSync(dir, { recursive: true }));

function seenBy(ahead: LookAhead | undefined) {
  const root = openTree(dir);
  let [lines, leftovers] = ['', 0];
  try {
    const leftover = () => {
      leftovers += 1;
    };
    for (const { seen, from, to } of walk(root, 'files', { sight, ahead, warn: () => {}, leftover }))
      lines += linesOf(seen, from, to).toString('latin1');
  } finally {
    closeSync(root);
  }
  return { lines, leftovers };
}

/** Takes whatever it is given, and looks at once; or never. */
function eager(answers: boolean) {
  const looked: string[] = [];
  const look: LookAhead['look'] = (directory, name, path) => {
    looked.push(path);
    const seen = answers ? listed(directory, name, path, sight) : undefined;
    return () => seen;
  };
  return { looked, ahead: { isFree: () => true, look, drain: () => {} } };
}

test('alone, with another one that looks ahead, and with one that has no answer', () => {
  writeFileSync(join(dir, 'd', '4', '.aegir-tmp-1'), '');
  writeFileSync(join(dir, 'wide', '.aegir-tmp-1'), '');
  const alone = seenBy(undefined);
  const paths = decodeFound(Buffer.from(alone.lines, 'latin1')).map(({ entry }) => entry.path);
  expect(paths).toHaveLength(1 + 14 + 9 * 4 + 1100);
  expect([...paths].sort(comparePaths)).toEqual(paths);
  expect(alone.leftovers).toBe(2);
  const { looked, ahead } = eager(true);
  const helped = seenBy(ahead);
  expect(helped.lines).toBe(alone.lines);
  expect(helped.leftovers).toBe(2);
  expect(looked).toContain('files/wide');
  expect(looked).toContain('files/d/4');
  expect(seenBy(eager(false).ahead)).toEqual(alone);
});

test('broken off, what was dealt out is waited for before its directory closes', () => {
  let drained = 0;
  const { ahead } = eager(true);
  const root = openTree(dir);
  const drain = () => {
    drained += 1;
  };
  const walking = walk(root, 'files', { sight, ahead: { ...ahead, drain }, warn: () => {}, leftover: () => {} });
  for (const { seen } of walking) if (seen.count > 1) break;
  closeSync(root);
  expect(drained).toBe(1);
});
