// Where the links of a code base lead. Web servers follow those to what the link's own user has, and code that root fetched
// has links of root's: they must not lead to sites, whose directories are root's, too.
import { opendir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActionContext } from '../engine/engine.ts';
import type { HostPaths } from '../host/host.ts';

/** Of a code base; a large one has a tenth. */
const MOST_ENTRIES = 500_000;

export interface BetrayingLink {
  readonly at: string;
  readonly real: string;
  /** Our own directory that it leads into, or to what holds it. */
  readonly ours: string;
}

/** The first link below any of the roots that leads to what is ours. What sites publish (docroot) is no secret. */
export async function betrayingLink(roots: readonly string[], ctx: ActionContext): Promise<BetrayingLink | undefined> {
  const { sites } = ctx.host.paths;
  const published = join(await realOrSame(sites), '/');
  const waiting = [...new Set(await Promise.all(roots.map(realOrSame)))];
  const seen = new Set<string>();
  let entries = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    ctx.signal.throwIfAborted();
    if (seen.has(path)) continue;
    seen.add(path);
    const directory = await opendir(path).catch(() => undefined);
    if (directory === undefined) continue; // gone meanwhile, or not even for us to read
    for await (const entry of directory) {
      entries += 1;
      if (entries > MOST_ENTRIES) {
        const text = `${roots[0]} has over ${MOST_ENTRIES} files: where links of the others lead was not looked at`;
        ctx.log('warn', text);
        return undefined;
      }
      const at = join(path, entry.name);
      if (entry.isDirectory()) waiting.push(at);
      if (!entry.isSymbolicLink()) continue;
      const real = await realpath(at).catch(() => undefined);
      if (real === undefined || isPublished(real, published)) continue;
      const ours = await ownThatMeets(real, ctx.host.paths);
      if (ours !== undefined) return { at, real, ours };
    }
  }
  return undefined;
}

/** The directory of ours that a path is, lies in, or holds; undefined for none. */
export async function ownThatMeets(real: string, paths: HostPaths): Promise<string | undefined> {
  for (const ours of Object.values<string>({ ...paths })) {
    const path = await realOrSame(ours);
    if (isWithin(real, path) || isWithin(path, real)) return ours;
  }
  return undefined;
}

/** Of one site: the directory that leads requests of a shared code base to it lies there. */
function isPublished(real: string, sites: string): boolean {
  return real.startsWith(sites) && real.slice(sites.length).split('/')[1] === 'docroot';
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

function realOrSame(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
