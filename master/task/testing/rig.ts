// A master's task side for tests: a real SQLite store, the real handlers and events, scripted agents, and mishaps that a
// test puts in the way of single steps. A crash is a failpoint that throws: what was durable stays, the rest is lost.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AegirError } from '../../../shared/error.ts';
import type { Event } from '../../../shared/gen/aegir/v1/event.ts';
import { createEventBus, type EventBus } from '../../event/bus.ts';
import { createGraph, type Graph } from '../../graph/graph.ts';
import type { Plan } from '../../plan/plan.ts';
import type { JsonObject, StepRecord, TaskRecord } from '../../store/model.ts';
import { openSqliteStore } from '../../store/open-sqlite.ts';
import type { NewTask, Store } from '../../store/store.ts';
import type { Handlers, StepContext, StepHandler } from '../handler.ts';
import { createHandlers } from '../handlers/handlers.ts';
import type { Limits } from '../limits.ts';
import { createRunner, type Runner } from '../runner.ts';
import type { WorkDeps } from '../step.ts';
import type { GrantMaker } from '../transfer.ts';
import { workTask } from '../work.ts';
import type { Ground } from './cases.ts';
import { createScriptAgents, type ScriptAgents } from './script-agents.ts';
import { createScriptCertificates, type ScriptCertificates } from './script-certificates.ts';

export const LIMITS: Limits = {
  tasks: 16,
  leaseMs: 15_000,
  attempts: 3,
  retryForMs: 60_000,
  firstBackoffMs: 1,
  maxBackoffMs: 2,
  cutMs: 20,
  quietMs: 50,
};

/** Goes wrong the given number of times, after everything the step does was done: the worst moment. */
export interface Mishap {
  readonly step: number;
  readonly direction: 'do' | 'undo';
  readonly error: AegirError;
  left: number;
}

export class Crash extends Error {}

export interface TaskRig {
  readonly store: Store;
  readonly agents: ScriptAgents;
  readonly certificates: ScriptCertificates;
  readonly mishaps: Mishap[];
  /** Steps that wait until a time, ms since 1970. */
  readonly waits: Map<number, number>;
  /** Boundaries in the order they were reached. */
  readonly reached: string[];
  /** Steps begun, as "do 3" or "undo 3", in order. */
  readonly began: string[];
  readonly lost: unknown[];
  /** Stands before a step, once its intent is durable. */
  onBegin: (direction: 'do' | 'undo', step: number) => Promise<void> | void;
  clock: number;
  /** Name and count (from 1) of the boundary to crash at. */
  crashAt: { readonly name: string; left: number } | undefined;
  /** Crashes once at every boundary; drive on until all is done. Answers how often it crashed. */
  driveThroughCrashes(): Promise<number>;
  task(plan: Plan, patch?: Partial<NewTask>): Promise<string>;
  /** Works all that is due until nothing is. Throws Crash. */
  drive(): Promise<void>;
  /** What a start does after a crash: another bus, free leases. */
  restart(): Promise<void>;
  runner(owner: string, limits?: Partial<Limits>): Runner;
  read(taskId: string): Promise<{ task: TaskRecord; steps: readonly StepRecord[]; events: readonly Event[] }>;
  close(): Promise<void>;
}

const STORE_FILE = 'aegir.db';
let empty: Promise<Buffer> | undefined;

/** The file of a store with nothing in it. */
async function emptyStore(): Promise<Buffer> {
  const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'aegir-task-'));
  const store = await openSqliteStore({ dir });
  await store.close();
  const bytes = await readFile(join(dir, STORE_FILE));
  await rm(dir, { recursive: true });
  return bytes;
}

export async function createTaskRig(ground: Ground): Promise<TaskRig> {
  // Hundreds of stores: in memory, as a crash here loses no page cache. Durability has its own tests in master/store.
  const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'aegir-task-'));
  // Made once and copied: to bring a store up to date costs more than most tests do.
  empty ??= emptyStore();
  await writeFile(join(dir, STORE_FILE), await empty, { mode: 0o600 });
  const store = await openSqliteStore({ dir });
  const agents = createScriptAgents();
  const certificates = createScriptCertificates();
  const sealer = {
    seal: (id: string, text: string) => `${id}:${text}`,
    unseal: (id: string, sealed: string) => {
      if (!sealed.startsWith(`${id}:`)) throw new Error('it was sealed for another');
      return sealed.slice(id.length + 1);
    },
  };
  await saveGround(store, ground, sealer.seal);
  let count = 0;

  const now = () => Date.now() + rig.clock;
  const openBus = () => createEventBus({ store, sealer, now, onLost: (_, cause) => rig.lost.push(cause) });
  let bus: EventBus = openBus();
  /** Boundaries that driveThroughCrashes() crashed at: name, and how many steps of that kind were durable. */
  let crashed: Set<string> | undefined;
  const failpoint = (name: string) => {
    rig.reached.push(name);
    if (crashed !== undefined) {
      const durable = name.replace(/\.(intent|done):/, '.durable:');
      const steps = durable === name && !name.includes(':') ? [] : rig.reached.filter((each) => each === durable);
      const key = `${name}#${steps.length}`;
      if (!crashed.has(key)) {
        crashed.add(key);
        throw new Crash(name);
      }
    }
    const trap = rig.crashAt;
    if (trap?.name !== name) return;
    trap.left -= 1;
    if (trap.left > 0) return;
    rig.crashAt = undefined;
    throw new Crash(name);
  };
  const grant: GrantMaker = async ({ digest: _, ...order }) => ({
    ...{ body: Buffer.from(JSON.stringify(order)), signature: Buffer.alloc(64) },
  });
  const handlers = withMishaps(
    createHandlers({
      store,
      agents,
      unseal: sealer.unseal,
      now,
      certificates,
      graph: () => graphIn(store),
      knock: async () => 'open',
      grant,
    }),
    () => rig,
  );
  const depsWith = (limits: Limits): WorkDeps => ({ store, handlers, events: bus, failpoint, limits, now });

  const rig: TaskRig = {
    store,
    agents,
    certificates,
    mishaps: [],
    waits: new Map(),
    reached: [],
    began: [],
    lost: [],
    onBegin: () => {},
    clock: 0,
    crashAt: undefined,
    async task(plan, patch = {}) {
      count += 1;
      const id = `task-${String(count).padStart(16, '0')}`;
      const { verb, subjectId, subject, locks } = plan;
      await store.tasks.insert({
        ...{ id, verb, subjectId, subject, locks, plan: plan as unknown as JsonObject, state: 'queued', reason: '' },
        ...{ actor: 'test', createdAt: now(), startedAt: null, finishedAt: null, resumeAt: null },
        ...{ cancelRequested: false, undoCause: null, idempotencyKey: null },
        steps: plan.steps.map(({ kind }) => ({ kind })),
        ...patch,
      });
      return id;
    },
    async drive() {
      for (;;) {
        const due = await store.tasks.claim('driver', now(), LIMITS.leaseMs, 10);
        if (due.length === 0) return;
        const deps = depsWith(LIMITS);
        const control = () => ({ leave: new AbortController(), cancel: new AbortController() });
        await Promise.all(due.map((task) => workTask(deps, task, control())));
      }
    },
    async driveThroughCrashes() {
      crashed = new Set();
      for (;;) {
        try {
          await rig.drive();
          return crashed.size;
        } catch (thrown) {
          if (!(thrown instanceof Crash)) throw thrown;
          await rig.restart();
        }
      }
    },
    async restart() {
      bus = openBus();
      await store.tasks.breakLeases();
    },
    runner: (owner, limits = {}) =>
      createRunner({
        ...depsWith({ ...LIMITS, ...limits }),
        owner,
        log: { error: (fields) => rig.lost.push(fields['err']) },
      }),
    async read(taskId) {
      await bus.flush();
      const task = await store.tasks.get(taskId);
      if (task === undefined) throw new Error(`there is no task ${taskId}`);
      const events: Event[] = [];
      const none = new AbortController();
      const ended = task.finishedAt !== null;
      for await (const event of bus.watch(taskId, 0, none.signal)) {
        events.push(event);
        // A task that has not ended is read as far as it goes.
        if (!ended && (await store.events.list(taskId, Number(event.seq), 1)).length === 0) none.abort();
      }
      return { task, steps: await store.steps.ofTask(taskId), events };
    },
    async close() {
      await bus.close();
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
  return rig;
}

async function saveGround(store: Store, ground: Ground, seal: (id: string, text: string) => string): Promise<void> {
  await store.transaction(async (tx) => {
    for (const server of ground.servers) await tx.servers.insert(server);
    for (const id of ground.secrets ?? []) await tx.secrets.insert({ id, sealed: seal(id, 'hidden') });
    for (const service of ground.services) {
      for (const id of Object.values(service.secrets)) await tx.secrets.insert({ id, sealed: seal(id, 'hidden') });
      await tx.services.insert(service);
    }
    for (const head of ground.heads) await tx.heads.insert(head);
    for (const backup of ground.backups ?? []) await tx.backups.insert(backup);
    for (const platform of ground.platforms) await tx.platforms.insert(platform);
    for (const zone of ground.zones) await tx.zones.insert(zone);
    for (const record of ground.records) await tx.records.insert(record);
    for (const site of ground.sites) {
      const users = site.auth?.users.map(({ secret }) => secret) ?? [];
      for (const id of [site.saltSecret, site.dbPasswordSecret, site.certificate?.keySecret, ...users]) {
        if (typeof id === 'string') await tx.secrets.insert({ id, sealed: seal(id, 'hidden') });
      }
      await tx.sites.insert(site);
    }
  });
}

function withMishaps(handlers: Handlers, rigOf: () => TaskRig): Handlers {
  const wrapped = Object.values(handlers as unknown as Record<string, StepHandler<'server.detect'>>).map((handler) => {
    const run = (direction: 'do' | 'undo', own: StepHandler<'server.detect'>['do']) => {
      return async (args: never, ctx: StepContext) => {
        const rig = rigOf();
        rig.began.push(`${direction} ${ctx.step}`);
        await rig.onBegin(direction, ctx.step);
        const until = direction === 'do' ? rig.waits.get(ctx.step) : undefined;
        if (until !== undefined && ctx.now() < until) return { is: 'wait' as const, at: until, why: 'told to wait' };
        const outcome = await own.call(handler, args, ctx);
        const mishap = rig.mishaps.find(
          (each) => each.step === ctx.step && each.direction === direction && each.left > 0,
        );
        if (mishap === undefined) return outcome;
        mishap.left -= 1;
        throw mishap.error;
      };
    };
    const { undo } = handler;
    return {
      ...handler,
      do: run('do', handler.do),
      undo: typeof undo === 'function' ? run('undo', undo) : undo,
    };
  });
  return Object.fromEntries(wrapped.map((handler) => [handler.kind, handler])) as unknown as Handlers;
}

async function graphIn(store: Store): Promise<Graph> {
  const [servers, services, platforms, sites, clients, zones, records, heads] = await Promise.all([
    ...[store.servers.find(), store.services.find(), store.platforms.find(), store.sites.find()],
    ...[store.clients.find(), store.zones.find(), store.records.find(), store.heads.find()],
  ] as const);
  return createGraph({ servers, services, platforms, sites, clients, zones, records, heads });
}
