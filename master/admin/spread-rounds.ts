// Files that visitors left on the heads that take writes travel to the other heads by themselves: looked for all the time, a
// task for each site that changed, few at once, and none for servers that are away.
import { toAegirError } from '../../shared/error.ts';
import { treesOf } from '../../shared/vocabulary.ts';
import type { Graph } from '../graph/graph.ts';
import { readersOf, writerOf } from '../graph/spread.ts';
import type { SiteRecord } from '../store/model.ts';
import { openTasks } from '../store/open-tasks.ts';
import { lookAt } from '../task/handlers/spread.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { type Rounds, startRounds } from './rounds.ts';
import { syncCluster } from './spread.ts';

const EVERY_MS = 15_000;
/** Servers asked at once. */
const MOST_LOOKS = 8;
const MOST_TASKS = 8;
/** After so long what could not be brought is tried again. */
const AGAIN_MS = 300_000;
const SCHEDULE: Caller = { actor: 'schedule', role: 'admin' };

export interface SpreadRounds extends Rounds {
  /** Answers the names of sites whose files are on their way now. */
  look(): Promise<readonly string[]>;
}

export function startSpreadRounds(
  deps: AdminDeps,
  log: { warn(fields: object, text: string): void; error(fields: object, text: string): void },
): SpreadRounds {
  /** What was begun for a site, so that a task that fails is not begun again each time. */
  const begun = new Map<string, { readonly digest: string; readonly at: number }>();

  const look = async (): Promise<readonly string[]> => {
    if (deps.facts.meshState() === 'off') return [];
    const graph = await loadGraph(deps.store);
    const spread = graph.sites.filter((site) => mayBeDue(graph, site));
    for (const id of begun.keys()) if (!spread.some((site) => site.id === id)) begun.delete(id);
    if (spread.length === 0) return [];
    const busy = await lockedSites(deps);
    const left = spread.filter(({ id }) => !busy.has(id)).values();
    const names: string[] = [];
    let room = MOST_TASKS;
    const worker = async (): Promise<void> => {
      for (const site of left) {
        if (room === 0) return;
        try {
          const digest = await changeOf(graph, site);
          // Others that looked meanwhile may have had the last place.
          if (digest === undefined || room === 0) continue;
          room -= 1;
          await begin(site, digest).catch((thrown: unknown) => {
            room += 1;
            throw thrown;
          });
          names.push(site.name);
        } catch (thrown) {
          log.warn({ why: toAegirError(thrown, 'look').message }, `cannot look whether files of ${site.name} changed`);
        }
      }
    };
    await Promise.all(Array.from({ length: MOST_LOOKS }, worker));
    return names;
  };

  const mayBeDue = (graph: Graph, site: SiteRecord): boolean => {
    const writer = writerOf(graph, site);
    if (writer === undefined || (site.state !== 'enabled' && site.state !== 'disabled')) return false;
    return deps.agents.isConnected(writer.serverId) && readersHere(graph, site).length > 0;
  };
  const readersHere = (graph: Graph, site: SiteRecord) =>
    readersOf(graph, site).filter(({ serverId }) => deps.agents.isConnected(serverId));

  /** Digest of what its files are now, when that is to be brought to others. */
  const changeOf = async (graph: Graph, site: SiteRecord): Promise<string | undefined> => {
    const writer = writerOf(graph, site);
    if (writer === undefined) return undefined;
    const trees = treesOf(graph.platform(site.platformId).app);
    const digest = await lookAt(deps.agents, writer.serverId, site.id, trees);
    const has = (head: string) => site.spread?.copies.find((copy) => copy.head === head)?.digest === digest;
    if (readersHere(graph, site).every(({ id }) => has(id))) return undefined;
    const last = begun.get(site.id);
    return last?.digest === digest && deps.now() < last.at + AGAIN_MS ? undefined : digest;
  };

  const begin = async (site: SiteRecord, digest: string): Promise<void> => {
    const now = deps.now();
    // Several masters that see the same change begin it once; who sees a later one is not answered with the task of the former.
    const idempotencyKey = `sync.${site.id}.${digest.slice(0, 12)}.${Math.floor(now / EVERY_MS)}`;
    const options = { planOnly: false, idempotencyKey };
    await syncCluster(deps, SCHEDULE, { cluster: site.bindings.http, site: site.id, options });
    begun.set(site.id, { digest, at: now });
  };

  const rounds = startRounds(look, {
    everyMs: EVERY_MS,
    onFailure: (thrown) =>
      log.error({ err: toAegirError(thrown, 'look for changed files') }, 'cannot look what files of clusters changed'),
  });
  return { look, close: rounds.close };
}

/** Sites that a task has for itself: it would only wait for that. */
async function lockedSites({ store }: AdminDeps): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const { plan } of await openTasks(store)) {
    const { locks } = plan;
    if (!Array.isArray(locks)) continue;
    for (const lock of locks) if (typeof lock === 'string' && lock.startsWith('site/')) ids.add(lock.slice(5));
  }
  return ids;
}
