// What a site that moved away had here: its trees set aside for a while, and the chunks of its last dump, so that it comes
// back with little to fetch. Nothing of it is believed: chunks are compared with their digests before they are used.
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SitePlace } from './site-owners.ts';

export interface Former {
  /** Takes a site's trees from their place. May be repeated. Where they lie on another file system, nothing is kept. */
  keepTrees(siteId: string, place: SitePlace): Promise<void>;
  /** Takes the pack of a dump of the site's database. May be repeated. */
  keepDump(siteId: string, pack: string): Promise<void>;
  /** undefined when there is nothing. */
  trees(siteId: string): Promise<SitePlace | undefined>;
}

const FORMER = 'former';
const FACTS = 'facts.json';

/** dir: that of the restores, which find it where they keep what came, and sweep it with that. */
export function createFormer(dir: string): Former {
  const at = (siteId: string, ...names: readonly string[]) => join(dir, `${siteId}-files`, FORMER, ...names);
  return {
    async keepTrees(siteId, { trees, owners, cacheDir }) {
      const there: string[] = [];
      await mkdir(at(siteId), { recursive: true, mode: 0o700 });
      for (const { tree, path } of trees) {
        if (await isThere(path)) {
          await rm(at(siteId, tree), { recursive: true, force: true });
          await unlessElsewhere(rename(path, at(siteId, tree)));
        }
        if (await isThere(at(siteId, tree))) there.push(tree);
      }
      if (await isThere(cacheDir)) {
        await cp(cacheDir, at(siteId, 'segments'), { recursive: true, force: true });
      }
      await writeFile(at(siteId, FACTS), JSON.stringify({ trees: there, owners }), { mode: 0o600 });
    },
    async keepDump(siteId, pack) {
      if (!(await isThere(pack))) return;
      const to = join(dir, `${siteId}-database`);
      await mkdir(to, { recursive: true, mode: 0o700 });
      await unlessElsewhere(rename(pack, join(to, 'pack')));
    },
    async trees(siteId) {
      try {
        const { trees, owners } = JSON.parse(await readFile(at(siteId, FACTS), 'utf8')) as Kept;
        if (trees.length === 0) return undefined;
        const places = trees.map((tree) => ({ tree, path: at(siteId, tree) }));
        return { trees: places, owners, cacheDir: at(siteId, 'segments') };
      } catch (thrown) {
        // Of a crash nothing whole is left.
        if ((thrown as NodeJS.ErrnoException).code === 'ENOENT' || thrown instanceof SyntaxError) return undefined;
        throw thrown;
      }
    },
  };
}

interface Kept {
  readonly trees: readonly SitePlace['trees'][number]['tree'][];
  readonly owners: SitePlace['owners'];
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function unlessElsewhere(renamed: Promise<void>): Promise<void> {
  try {
    await renamed;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EXDEV') throw thrown;
  }
}
