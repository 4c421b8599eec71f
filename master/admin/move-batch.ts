// Moves of many sites: which ones, one task for each, some at a time, until all are moved or too many failed.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type {
  ListMoveBatchesRequest,
  ListMoveBatchesResponse,
  MigrateManyRequest,
  MigrateSiteRequest,
  MoveBatch,
  MoveBatchRequest,
} from '../../shared/gen/aegir/v1/move_admin.ts';
import type { Graph } from '../graph/graph.ts';
import { isScratch } from '../graph/scratch.ts';
import { ENDED_TASK_STATES, type SiteRecord } from '../store/model.ts';
import type { BatchRecord, BatchSite, BatchWish } from '../store/model-batch.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { checkWish, migrateSite, migration, wishFor } from './move.ts';
import { pageOf } from './page.ts';
import { type Rounds, startRounds } from './rounds.ts';

const AT_ONCE = { usual: 2, most: 16 };
const STOP_AFTER = { usual: 3, most: 1000 };
const MOST_SITES = 5_000;
const MOST_RUNNING = 20;
const EVERY_MS = 2_000;
/** So that the newest comes first in the order of texts. */
const LATEST = 9_999_999_999_999;

export async function migrateMany(deps: AdminDeps, caller: Caller, request: MigrateManyRequest): Promise<MoveBatch> {
  checkWish(wishOf(request));
  const within = (what: string, value: number, { usual, most }: { readonly usual: number; readonly most: number }) => {
    if (value <= most) return value || usual;
    throw new AegirError('invalid_argument', `cannot move ${what} ${value}: ${most} are the most`);
  };
  const atOnce = within('at once', request.atOnce, AT_ONCE);
  const stopAfter = within('until failures are', request.stopAfter, STOP_AFTER);
  const graph = await loadGraph(deps.store);
  const { sites, summary } = chosen(graph, request);
  const leaving = request.fromServer === '' ? {} : { leaving: graph.server(request.fromServer).id };
  const wish: BatchWish = { ...wishOf(request), ...leaving };
  const rows: BatchSite[] = [];
  const plans: (readonly string[])[] = [];
  for (const site of sites) {
    const common = { siteId: site.id, name: site.name, taskId: '' };
    try {
      const { plan } = (await migration(deps, site.id, wishFor(graph, site, wish)))(graph);
      rows.push({ ...common, state: 'waiting', why: '' });
      plans.push([plan.summary, ...plan.warnings]);
    } catch (thrown) {
      rows.push({ ...common, state: 'skipped', why: toAegirError(thrown, `move ${site.name}`).message });
      plans.push([]);
    }
  }
  const batch: BatchRecord = {
    ...{ id: deps.newId('batch'), summary, state: 'running', actor: caller.actor, wish, atOnce, stopAfter },
    ...{ failures: 0, round: 1, sites: rows, createdAt: deps.now() },
  };
  if (request.planOnly) return { ...view({ ...batch, id: '' }), sites: view(batch, plans).sites };
  if (!rows.some(({ state }) => state === 'waiting')) {
    const [first] = rows;
    throw new AegirError(
      'failed_precondition',
      first === undefined ? `cannot ${summary}: there are no sites` : `cannot ${summary}: no site can; ${first.why}`,
    );
  }
  await deps.store.transaction(async (tx) => {
    const running = await tx.batches.find({ state: 'running' });
    if (running.length >= MOST_RUNNING) {
      throw new AegirError('resource_exhausted', `cannot ${summary}: ${MOST_RUNNING} such moves are under way; wait`);
    }
    await tx.batches.insert(batch);
  });
  await advanceBatch(deps, batch.id);
  return view(await findBatch(deps, batch.id));
}

function wishOf(request: MigrateManyRequest): BatchWish {
  return {
    ...{ platform: request.toPlatform, server: request.toServer, db: request.db },
    ...{ maxHoldMillis: request.maxHoldMillis, pastHold: request.pastHold, quietSeconds: request.quietSeconds },
    ...{ rounds: request.rounds, skipLead: request.skipLead },
    ...{ backup: request.backup, noBackup: request.noBackup, noFollow: request.noFollow },
    noDnsWait: request.noDnsWait,
  };
}

/** Those that have something there; the others stay. What a drill made is none of them: it goes by itself. */
function chosen(graph: Graph, { fromPlatform, fromServer, toPlatform, toServer, db }: MigrateManyRequest) {
  if ((fromPlatform === '') === (fromServer === '')) {
    throw new AegirError('invalid_argument', 'cannot move sites: name the platform, or the server, that they leave');
  }
  if (toPlatform === '' && toServer === '' && db === '') {
    throw new AegirError('invalid_argument', 'cannot move sites: name the server or platform that they move to');
  }
  const is: (site: SiteRecord) => boolean =
    fromPlatform !== ''
      ? (
          (id) => (site: SiteRecord) =>
            site.platformId === id
        )(graph.platform(fromPlatform).id)
      : (
          (id) => (site: SiteRecord) =>
            [site.bindings.http, site.bindings.db].some(
              (bound) => bound !== undefined && graph.service(bound).serverId === id,
            )
        )(graph.server(fromServer).id);
  const sites = graph.sites
    .filter((site) => is(site) && !isScratch(site))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  if (sites.length > MOST_SITES) {
    throw new AegirError('invalid_argument', `cannot move ${sites.length} sites at once: ${MOST_SITES} are the most`);
  }
  const from = fromPlatform === '' ? `server ${fromServer}` : `platform ${fromPlatform}`;
  const to = [toServer, toPlatform, db].filter((name) => name !== '').join(', ');
  return { sites, summary: `move the sites of ${from} to ${to}` };
}

export async function getMoveBatch(deps: AdminDeps, request: MoveBatchRequest): Promise<MoveBatch> {
  return view(await findBatch(deps, request.batch));
}

export async function listMoveBatches(
  deps: AdminDeps,
  request: ListMoveBatchesRequest,
): Promise<ListMoveBatchesResponse> {
  const all = await deps.store.batches.find();
  const key = ({ id, createdAt }: BatchRecord) => `${String(LATEST - createdAt).padStart(13, '0')} ${id}`;
  const page = pageOf(all, key, { ...request, pageSize: request.pageSize || 50 });
  return { batches: page.items.map((batch) => view(batch)), nextPageToken: page.nextPageToken };
}

export async function stopMoveBatch(deps: AdminDeps, request: MoveBatchRequest): Promise<MoveBatch> {
  return turned(deps, request.batch, (batch) => (batch.state === 'running' ? { ...batch, state: 'stopped' } : batch));
}

export async function resumeMoveBatch(deps: AdminDeps, request: MoveBatchRequest): Promise<MoveBatch> {
  await turned(deps, request.batch, (batch) => {
    if (batch.state === 'running') return batch;
    const again = batch.sites.map(
      (site): BatchSite =>
        site.state === 'failed' || site.state === 'skipped' ? { ...site, state: 'waiting', taskId: '', why: '' } : site,
    );
    return { ...batch, state: 'running', failures: 0, round: batch.round + 1, sites: again };
  });
  await advanceBatch(deps, request.batch);
  return view(await findBatch(deps, request.batch));
}

async function findBatch(deps: Pick<AdminDeps, 'store'>, id: string): Promise<BatchRecord> {
  const found = await deps.store.batches.get(id);
  if (found !== undefined) return found;
  throw new AegirError('not_found', `cannot find move ${JSON.stringify(id.slice(0, 60))}; see: aegir move list`);
}

async function turned(deps: AdminDeps, id: string, turn: (batch: BatchRecord) => BatchRecord): Promise<MoveBatch> {
  const batch = await deps.store.transaction(async (tx) => {
    const found = await tx.batches.get(id);
    if (found === undefined) return undefined;
    const { id: _, ...patch } = turn(found);
    await tx.batches.update(id, patch);
    return { ...found, ...patch };
  });
  return view(batch ?? (await findBatch(deps, id)));
}

/** Looks what became of its tasks, and begins as many as may run. May be called at any time, by several masters at once. */
export async function advanceBatch(deps: AdminDeps, id: string): Promise<void> {
  const seen = await settle(deps, id);
  if (seen.state !== 'running') return;
  let room = seen.atOnce - seen.sites.filter(({ state }) => state === 'moving').length;
  for (const site of seen.sites) {
    if (room <= 0) break;
    if (site.state !== 'waiting') continue;
    // The key makes a repeat, after a crash or by another master, answer with the same task.
    const options = { planOnly: false, idempotencyKey: `${id}.${seen.round}.${site.siteId}`.slice(-64) };
    const by: Caller = { actor: seen.actor, role: 'operator' };
    const begun = await begin(deps, by, seen, site, options).then(
      ({ taskId }): Partial<BatchSite> => (taskId === '' ? { state: 'moved' } : { state: 'moving', taskId }),
      (thrown: unknown): Partial<BatchSite> => ({
        state: 'skipped',
        why: toAegirError(thrown, `move ${site.name}`).message,
      }),
    );
    await patchSite(deps, id, site.siteId, begun);
    if (begun.state === 'moving') room -= 1;
  }
  await settle(deps, id);
}

async function begin(
  deps: AdminDeps,
  by: Caller,
  { wish }: BatchRecord,
  { siteId }: BatchSite,
  options: MigrateSiteRequest['options'],
): Promise<ChangeResponse> {
  const graph = await loadGraph(deps.store);
  const its = wishFor(graph, graph.site(siteId), wish);
  return migrateSite(deps, by, {
    backup: '',
    noBackup: false,
    noFollow: false,
    noDnsWait: false,
    ...its,
    site: siteId,
    options,
  });
}

async function patchSite(deps: AdminDeps, id: string, siteId: string, patch: Partial<BatchSite>): Promise<void> {
  await deps.store.transaction(async (tx) => {
    const batch = await tx.batches.get(id);
    if (batch === undefined) return;
    const sites = batch.sites.map((site) => (site.siteId === siteId ? { ...site, ...patch } : site));
    await tx.batches.update(id, { sites });
  });
}

const ENDED: ReadonlySet<string> = new Set(ENDED_TASK_STATES);

async function settle(deps: AdminDeps, id: string): Promise<BatchRecord> {
  return deps.store.transaction(async (tx) => {
    const batch = await tx.batches.get(id);
    if (batch === undefined) throw new AegirError('not_found', `cannot find move ${id}`);
    let failures = batch.failures;
    const sites: BatchSite[] = [];
    for (const site of batch.sites) {
      const task = site.state === 'moving' ? await tx.tasks.get(site.taskId) : undefined;
      if (site.state !== 'moving' || (task !== undefined && !ENDED.has(task.state))) {
        sites.push(site);
      } else if (task?.state === 'succeeded') {
        sites.push({ ...site, state: 'moved', why: '' });
      } else {
        failures += 1;
        sites.push({ ...site, state: 'failed', why: task?.reason || `its task was ${task?.state ?? 'forgotten'}` });
      }
    }
    const open = sites.some(({ state }) => state === 'waiting' || state === 'moving');
    let { state } = batch;
    if (state === 'running' && failures >= batch.stopAfter && open) state = 'failed';
    else if (state === 'running' && !open) state = 'done';
    const patch = { sites, failures, state };
    await tx.batches.update(id, patch);
    return { ...batch, ...patch };
  });
}

export function startMoveBatches(deps: AdminDeps, log: { error(fields: object, text: string): void }): Rounds {
  const look = async () => {
    // One that was stopped, or in which too many failed, still has tasks at work.
    for (const batch of await deps.store.batches.find()) {
      const atWork = batch.sites.some(({ state }) => state === 'moving');
      if (batch.state === 'running' || atWork) await advanceBatch(deps, batch.id);
    }
  };
  return startRounds(look, {
    everyMs: EVERY_MS,
    onFailure: (thrown) =>
      log.error({ err: toAegirError(thrown, 'move sites') }, 'cannot go on with a move of many sites'),
  });
}

function view(batch: BatchRecord, plans: readonly (readonly string[])[] = []): MoveBatch {
  const { id, summary, state, atOnce, stopAfter, sites, createdAt } = batch;
  return {
    ...{ id, summary, state, atOnce, stopAfter, createdAt: new Date(createdAt) },
    sites: sites.map((site, index) => ({ ...site, plan: [...(plans[index] ?? [])] })),
  };
}
