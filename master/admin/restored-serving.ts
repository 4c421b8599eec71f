// How a site that is restored as a new one is served: never to more people, or with fewer of an administrator's lines, than
// the site that the backup is of. Where that cannot be had, it is hidden until a person says so.
import { checkedSnippet } from '../../shared/snippet/snippet.ts';
import type { Graph } from '../graph/graph.ts';
import type { PlatformRecord, SiteAuth, SiteSnippet } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';

export interface Serving {
  readonly snippet: SiteSnippet | null;
  /** Why it is restored hidden, each with what to do; none: it is served. */
  readonly hidden: readonly string[];
}

/** auth: what it has of the site that it was, when that is there. */
export function servingOf(
  graph: Graph,
  backup: BackupRecord,
  name: string,
  platform: PlatformRecord,
  auth: SiteAuth | null,
): Serving {
  const original = graph.sites.find(({ id }) => id === backup.siteId);
  // As they are now where there are any, like the names and passwords: an older backup is no way around them.
  const wanted = original?.snippet ?? backup.site.snippet ?? null;
  const engines = graph.webServersOf(graph.service(platform.serviceId)).map(({ engine }) => engine);
  const fits = wanted !== null && engines.every((engine) => engine === wanted.engine) && isAllowed(wanted);
  const hidden: string[] = [];
  if (backup.site.closed && auth === null) {
    hidden.push(
      `The site asked for names and passwords, which no backup has: it is restored hidden. Then: aegir site set ${name} --auth-user USER, and: aegir site enable ${name}`,
    );
  }
  if (wanted !== null && !fits) {
    hidden.push(
      `The site has lines of an administrator for ${wanted.engine}, which ${[...new Set(engines)].join(' and ')} cannot take as they are: it is restored hidden, without them. ` +
        `Then an administrator: aegir site set ${name} --web-snippet FILE, and: aegir site enable ${name}`,
    );
  }
  if ((backup.site.state ?? original?.state) === 'disabled') {
    hidden.push(`The site was disabled: it is restored so. Then: aegir site enable ${name}`);
  }
  return { snippet: fits ? wanted : null, hidden };
}

/** Kept by a master that allowed more. */
function isAllowed({ engine, text }: SiteSnippet): boolean {
  try {
    return checkedSnippet(engine, text) === text;
  } catch {
    return false;
  }
}
