// Plans one file or link of a site: a change only when it is not there exactly as declared.
import type { Change } from '../engine/engine.ts';
import type { FileOptions, Host } from '../host/host.ts';

export async function planFile(
  host: Host,
  path: string,
  content: string,
  options: FileOptions,
  what: string,
): Promise<readonly Change[]> {
  // The site's user may not be there yet in a preview: then no owner can match.
  const known =
    options.group === undefined || options.group === 'root' || (await host.users.lookup(options.group)) !== undefined;
  if (known && (await host.files.matches(path, content, options))) return [];
  const there = await host.files.exists(path);
  return [
    {
      summary: `${there ? 'restore' : 'write'} ${what} (${path})`,
      run: () => host.files.write(path, content, options),
    },
  ];
}

export interface PlannedLink {
  readonly path: string;
  readonly target: string;
}

/** All links as one change; also takes away links in the directories that are not declared. */
export async function planLinks(
  host: Host,
  links: readonly PlannedLink[],
  directories: readonly string[],
  what: string,
): Promise<readonly Change[]> {
  const wrong: PlannedLink[] = [];
  for (const link of links) if ((await host.files.readLink(link.path)) !== link.target) wrong.push(link);
  const declared = new Set(links.map((link) => link.path));
  const stale: string[] = [];
  for (const directory of directories) {
    for (const name of await host.files.list(directory)) {
      const path = `${directory}/${name}`;
      if (!declared.has(path) && (await host.files.readLink(path)) !== undefined) stale.push(path);
    }
  }
  if (wrong.length === 0 && stale.length === 0) return [];
  const counts = [wrong.length > 0 ? `set ${wrong.length}` : '', stale.length > 0 ? `remove ${stale.length}` : '']
    .filter((text) => text !== '')
    .join(', ');
  return [
    {
      summary: `link ${what} (${counts})`,
      run: async (ctx) => {
        for (const { target, path } of wrong) {
          ctx.signal.throwIfAborted();
          // A file or directory that somebody put in the link's place goes: it is no part of the site.
          if ((await host.files.exists(path)) && (await host.files.readLink(path)) === undefined)
            await host.files.remove(path);
          await host.files.link(target, path);
        }
        for (const path of stale) await host.files.remove(path);
      },
    },
  ];
}
