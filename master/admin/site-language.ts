// Whether a site can be installed in a language: its installer would say no after all the rest of it is made.
import { AegirError } from '../../shared/error.ts';
import { firstWebServer } from '../graph/cluster-rules.ts';
import type { Graph } from '../graph/graph.ts';
import type { PlatformRecord } from '../store/model.ts';
import { platformOn } from '../task/perform.ts';
import type { AdminDeps } from './deps.ts';

/** name: of the site. Throws failed_precondition with the languages that there are. An agent that is away judges when it installs. */
export async function requireLanguage(
  { agents }: Pick<AdminDeps, 'agents'>,
  graph: Graph,
  { platform, locale, name }: { readonly platform: PlatformRecord; readonly locale: string; readonly name: string },
): Promise<void> {
  const { serverId } = firstWebServer(graph, graph.service(platform.serviceId));
  if (!agents.isConnected(serverId)) return;
  const facts = await platformOn({ agents }, serverId, platform).catch(() => undefined);
  const languages = facts?.languages ?? [];
  if (languages.length === 0 || languages.includes(locale)) return;
  throw new AegirError(
    'failed_precondition',
    `cannot install ${name} in ${JSON.stringify(locale)}: ${platform.root} has the languages ${languages.join(', ')}; ` +
      "choose one, or add that one's files (Debian has them in wordpress-l10n)",
  );
}
