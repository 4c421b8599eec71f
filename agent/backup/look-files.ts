// Looks whether anything was done to a site's files, without reading them. For workers alone.
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { encodeFound } from './found-entry.ts';
import type { Saying, TreeRoot } from './take-files.ts';
import { type Owners, openTree, walk } from './tree.ts';

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
  for (const { tree, path } of trees) {
    const root = openTree(path);
    try {
      // What is no file, directory or link is not kept, and a snapshot says so.
      for (const found of walk(root, tree, owners, () => {})) {
        saying.check();
        digest.update(encodeFound([found]));
        entries += 1;
      }
    } finally {
      closeSync(root);
    }
  }
  return { digest: digest.digest(), entries };
}
