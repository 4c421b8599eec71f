// Which things' tasks are asked for: by id, of what is gone too, or by a name, as other calls take it.
import { AegirError } from '../../shared/error.ts';
import { ID_PREFIXES, isId } from '../../shared/id.ts';
import { hostName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';

/**
 * Ids of all that is called so: a site and a zone may share a name, as a server and a platform may. Throws not_found for a
 * name that nothing has.
 */
export function subjectIds(graph: Graph, ref: string): readonly string[] {
  const found = [
    () => graph.site(hostName(ref)),
    () => graph.zone(hostName(ref)),
    () => graph.server(ref),
    () => graph.service(ref),
    () => graph.platform(ref),
    () => graph.client(ref),
  ].flatMap((find) => idOf(find) ?? []);
  if (found.length > 0) return [...new Set(found)];
  if (ID_PREFIXES.some((prefix) => isId(prefix, ref))) return [ref];
  throw new AegirError(
    'not_found',
    `cannot list tasks of ${JSON.stringify(ref)}: there is no site, server, service, platform, zone or client of that name; ` +
      'name what is gone by its id, which aegir task list -o json shows',
  );
}

/** undefined where there is none of that name, or it is no name of such a thing. */
function idOf(find: () => { readonly id: string }): string | undefined {
  try {
    return find().id;
  } catch (thrown) {
    if (thrown instanceof AegirError) return undefined;
    throw thrown;
  }
}
