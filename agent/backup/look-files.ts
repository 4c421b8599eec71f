// Looks whether anything was done to a site's files, without reading them. For workers alone.
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { createSight, linesOf } from './seen.ts';
import type { Saying, TreeRoot } from './take-files.ts';
import { type Owners, openTree } from './tree.ts';
import { walk } from './walk.ts';

export interface LookOrder {
  readonly trees: readonly TreeRoot[];
  readonly owners: Owners;
}

export interface FilesSeen {
  readonly digest: Uint8Array;
  readonly entries: number;
}

export function lookFiles({ trees, owners }: LookOrder, saying: Saying): FilesSeen {
  const digest = createHash('sha256');
  let entries = 0;
  // What is no file, directory or link is not kept, and a snapshot says so.
  const walking = { sight: createSight(owners), ahead: undefined, warn: () => {}, leftover: () => {} };
  for (const { tree, path } of trees) {
    const root = openTree(path);
    try {
      for (const { seen, from, to } of walk(root, tree, walking)) {
        saying.check();
        digest.update(linesOf(seen, from, to));
        entries += to - from;
      }
    } finally {
      closeSync(root);
    }
  }
  return { digest: digest.digest(), entries };
}
