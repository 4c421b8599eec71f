// Backups, drills and pruning that are due by policy: a task for each, few at once, and none for servers that are away.
import { toAegirError } from '../../shared/error.ts';
import { backupDueAt, drillDueAt, type Failures, NO_FAILURES } from '../graph/backup-due.ts';
import { policyOf } from '../graph/backup-policy.ts';
import type { Graph } from '../graph/graph.ts';
import { chooseStore, placeOf } from '../graph/stores.ts';
import { ENDED_TASK_STATES, type SiteRecord, type TaskRecord } from '../store/model.ts';
import type { BackupPolicyRecord, BackupRecord } from '../store/model-backup.ts';
import { openTasks } from '../store/open-tasks.ts';
import { createBackup } from './backup-create.ts';
import { drillBackup } from './backup-drill.ts';
import { pruneStore, removable } from './backup-remove.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { startRounds } from './rounds.ts';

const EVERY_MS = 60_000;
const FIRST_MS = 45_000;
const MOST_BACKUPS = 4;
const MOST_DRILLS = 1;
/** A store is pruned for one backup that goes, but not more often than this. */
const PRUNE_EVERY_MS = 3_600_000;
const LOOKED_AT = 100;
/** In so long, what several masters begin at once is begun once. */
const SLOT_MS = 600_000;
const SCHEDULE: Caller = { actor: 'schedule', role: 'admin' };

export interface BackupRounds {
  /** Answers what was begun, as "backup NAME", "drill NAME" and "prune SERVICE". */
  look(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function startBackupRounds(
  deps: AdminDeps,
  log: { error(fields: object, text: string): void; warn(fields: object, text: string): void },
): BackupRounds {
  const told = new Map<string, string>();
  const look = async (): Promise<readonly string[]> => {
    if (deps.facts.meshState() === 'off') return [];
    await settleAbandoned(deps);
    const begun: string[] = [];
    const begin: Begin = async (what, call) => {
      try {
        if (await call()) begun.push(what);
        told.delete(what);
      } catch (thrown) {
        // One site whose policy cannot be followed keeps no other from its backup. Told once, not each minute.
        const { message } = toAegirError(thrown, what);
        if (told.get(what) !== message) log.warn({ why: message }, `cannot begin what is due: ${what}`);
        told.set(what, message);
      }
    };
    const round = await readRound(deps);
    await beginBackups(deps, round, begin);
    await beginDrills(deps, round, begin);
    await beginPrunes(deps, round, begin);
    return begun;
  };
  const rounds = startRounds(look, {
    ...{ firstMs: FIRST_MS, everyMs: EVERY_MS },
    onFailure: (thrown) =>
      log.error({ err: toAegirError(thrown, 'look what backups are due') }, 'cannot look what backups are due'),
  });
  return { look, close: rounds.close };
}

interface Round {
  readonly graph: Graph;
  readonly backups: readonly BackupRecord[];
  readonly policies: readonly BackupPolicyRecord[];
  readonly open: readonly TaskRecord[];
  readonly now: number;
}

/** call answers false when it is not the time: a server that it needs is away. */
type Begin = (what: string, call: () => Promise<boolean>) => Promise<void>;

async function readRound(deps: AdminDeps): Promise<Round> {
  return {
    graph: await loadGraph(deps.store),
    backups: await deps.store.backups.find(),
    policies: await deps.store.backupPolicies.find(),
    open: await openTasks(deps.store),
    now: deps.now(),
  };
}

/** Backups whose task ended before it began: what it may have left in the store is named until it is pruned. */
async function settleAbandoned({ store }: AdminDeps): Promise<void> {
  for (const { id, taskId } of await store.backups.find({ state: 'making' })) {
    const task = await store.tasks.get(taskId);
    if (task !== undefined && !(ENDED_TASK_STATES as readonly string[]).includes(task.state)) continue;
    await store.transaction(async (tx) => {
      if ((await tx.backups.get(id))?.state === 'making')
        await tx.backups.update(id, { state: 'deleting', problem: task?.reason || 'its task ended before it' });
    });
  }
}

async function beginBackups(deps: AdminDeps, round: Round, begin: Begin): Promise<void> {
  const { graph, backups, policies, open, now } = round;
  // One that waits for a person is at no work.
  const busy = open.filter(({ state }) => state !== 'stuck');
  let room = MOST_BACKUPS - busy.filter(({ verb, actor }) => verb === 'site.backup' && actor === SCHEDULE.actor).length;
  const due: { site: SiteRecord; at: number }[] = [];
  for (const site of graph.sites) {
    const policy = policyOf(policies, site.id);
    if (policy.everySeconds === 0 || open.some(({ subjectId }) => subjectId === site.id)) continue;
    // One that somebody made elsewhere is none where the policy wants them.
    const there = backups.filter(({ serviceId }) => policy.serviceId === null || serviceId === policy.serviceId);
    const last = newestOf(there, site.id);
    const usual = backupDueAt(site, last, policy, NO_FAILURES);
    if (usual === null || usual > now) continue;
    const at = backupDueAt(site, last, policy, await failuresOf(deps, site.id, 'site.backup'));
    if (at !== null && at <= now) due.push({ site, at });
  }
  // Who waits longest comes first.
  for (const { site } of due.sort((a, b) => a.at - b.at)) {
    if (room <= 0) return;
    const policy = policyOf(policies, site.id);
    await begin(`backup ${site.name}`, async () => {
      const store = chooseStore(graph, '', policy.serviceId, `the backup of ${site.name}`);
      // A server that is away gets no task: the site is due until it is back.
      const servers = Object.values(site.bindings).map((id) => graph.service(id).serverId);
      if (![...servers, store.serverId].every((id) => deps.agents.isConnected(id))) return false;
      const options = { planOnly: false, idempotencyKey: keyOf('backup', site.id, now) };
      await createBackup(
        deps,
        SCHEDULE,
        { site: site.id, service: store.id, note: '', keep: false, options },
        'schedule',
      );
      room -= 1;
      return true;
    });
  }
}

async function beginDrills(
  deps: AdminDeps,
  { graph, backups, policies, open, now }: Round,
  begin: Begin,
): Promise<void> {
  let room = MOST_DRILLS - open.filter(({ verb, actor }) => verb === 'backup.drill' && actor === SCHEDULE.actor).length;
  for (const site of graph.sites) {
    if (room <= 0) return;
    const policy = policyOf(policies, site.id);
    if (policy.drillEverySeconds === 0) continue;
    const own = backups.filter(({ siteId }) => siteId === site.id);
    const newest = newestOf(backups, site.id);
    const tried = Math.max(0, ...own.map(({ triedAt }) => triedAt ?? 0)) || null;
    const usual = drillDueAt(site.id, newest, tried, policy, NO_FAILURES);
    if (newest === undefined || usual === null || usual > now) continue;
    const at = drillDueAt(site.id, newest, tried, policy, await failuresOf(deps, site.id, 'backup.drill'));
    if (at === null || at > now) continue;
    await begin(`drill ${site.name}`, async () => {
      const store = graph.service(newest.serviceId);
      if (!deps.agents.isConnected(store.serverId)) return false;
      const server = policy.drillServerId ?? '';
      const options = { planOnly: false, idempotencyKey: keyOf('drill', site.id, now) };
      await drillBackup(deps, SCHEDULE, { backup: newest.id, site: '', server, options });
      room -= 1;
      return true;
    });
  }
}

async function beginPrunes(
  deps: AdminDeps,
  { graph, backups, policies, open, now }: Round,
  begin: Begin,
): Promise<void> {
  const done = new Set<string>();
  for (const store of graph.enabled('file')) {
    const place = placeOf(store);
    if (done.has(place)) continue;
    done.add(place);
    if (removable(graph, store, backups, policies, open).length === 0 || !deps.agents.isConnected(store.serverId))
      continue;
    if (open.some(({ subjectId, verb }) => subjectId === store.id && verb === 'store.prune')) continue;
    const [last] = (await deps.store.tasks.list({ subjectId: store.id, limit: LOOKED_AT })).filter(
      ({ verb, actor }) => verb === 'store.prune' && actor === SCHEDULE.actor,
    );
    if (last !== undefined && now < last.createdAt + PRUNE_EVERY_MS) continue;
    await begin(`prune ${graph.serviceName(store)}`, async () => {
      const options = { planOnly: false, idempotencyKey: keyOf('prune', store.id, now) };
      await pruneStore(deps, SCHEDULE, { service: store.id, options });
      return true;
    });
  }
}

function newestOf(backups: readonly BackupRecord[], site: string): BackupRecord | undefined {
  return backups
    .filter(({ siteId, state }) => siteId === site && state === 'ready')
    .sort((a, b) => b.takenAt - a.takenAt)[0];
}

async function failuresOf({ store }: AdminDeps, siteId: string, verb: string): Promise<Failures> {
  const tasks = await store.tasks.list({ subjectId: siteId, limit: LOOKED_AT });
  const tries = tasks.filter((task) => task.verb === verb && task.actor === SCHEDULE.actor);
  const since = tries.findIndex(({ state }) => state === 'succeeded');
  const failed = since < 0 ? tries : tries.slice(0, since);
  const [last] = failed;
  return last === undefined ? NO_FAILURES : { count: failed.length, lastAt: last.finishedAt ?? last.createdAt };
}

function keyOf(what: string, id: string, now: number): string {
  return `${what}.${id}.${Math.floor(now / SLOT_MS)}`;
}
