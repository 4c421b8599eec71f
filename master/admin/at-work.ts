// What is not over yet and works with something that a person wants to take away: tasks, moves of many sites, sites on their
// way. Each is told with the command that helps.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import type { Plan } from '../plan/plan.ts';
import type { Verb } from '../plan/verbs.ts';
import type { JsonObject, ServerRecord } from '../store/model.ts';
import { openTasks } from '../store/open-tasks.ts';
import type { Tx } from '../store/store.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller, Options } from './deps.ts';
import { wayOut } from './skippable.ts';

const MOST_TOLD = 5;

export interface Things {
  /** Ids, or other text by which plans name it. */
  readonly ids: readonly string[];
  /** Whose moves of many sites count. */
  readonly server?: ServerRecord;
  /** Of the task that is to take it away: those that share one are waited for, and stand in no way. */
  readonly locks?: readonly string[];
}

export async function atWork(tx: Tx, { ids, server, locks = [] }: Things): Promise<readonly string[]> {
  const told: string[] = [];
  const subjects = new Set<string>();
  for (const task of await openTasks(tx)) {
    const plan = JSON.stringify(task.plan);
    if (!ids.some((id) => plan.includes(id))) continue;
    const own = task.plan['locks'];
    if (Array.isArray(own) && own.some((lock) => locks.includes(String(lock)))) continue;
    subjects.add(task.subjectId);
    const out = wayOut(task, await tx.steps.ofTask(task.id));
    told.push(`task ${task.id}, ${task.verb} of ${task.subject}, works with it (${out})`);
  }
  for (const { id, name, moving } of await tx.sites.find()) {
    if (moving === null || subjects.has(id)) continue;
    const ends = [moving.from, moving.to].flatMap(({ platformId, http, db }) => [platformId, http, db]);
    if (!ends.some((end) => ids.includes(end))) continue;
    told.push(`site ${displayName(name)} is on its way from or to it (aegir task list --subject ${id})`);
  }
  if (server === undefined) return told;
  for (const batch of await tx.batches.find({ state: 'running' })) {
    const { server: to, leaving } = batch.wish;
    if ([to, leaving].some((ref) => ref === server.id || ref === server.name)) {
      told.push(`move ${batch.id} works with it (aegir move stop ${batch.id})`);
    }
  }
  return told;
}

/** what: as in "cannot …". Throws failed_precondition that names what works with it. */
export async function requireIdle(tx: Tx, what: string, things: Things): Promise<void> {
  const told = await atWork(tx, things);
  if (told.length === 0) return;
  const more = told.length > MOST_TOLD ? `; and ${told.length - MOST_TOLD} more` : '';
  throw new AegirError('failed_precondition', `cannot ${what}: ${told.slice(0, MOST_TOLD).join('; ')}${more}`);
}

export interface Removal {
  readonly plan: Plan;
  /** As in "cannot …". */
  readonly what: string;
  /** As in Things. */
  readonly ids: readonly string[];
}

/** As change, of a task that takes something away: refused, also where only its plan is asked for, while something works with it. */
export async function removeBy(
  deps: AdminDeps,
  caller: Caller,
  options: Options,
  request: JsonObject & { readonly method: Verb },
  decide: (graph: Graph) => Removal,
): Promise<ChangeResponse> {
  const idle = (tx: Tx, { plan, what, ids }: Removal) => requireIdle(tx, what, { ids, locks: plan.locks });
  let planned: Removal | undefined;
  const answer = await change(deps, caller, options, request, (graph) => {
    const removal = decide(graph);
    planned = removal;
    return { plan: removal.plan, save: (tx) => idle(tx, removal) };
  });
  if (options?.planOnly === true && planned !== undefined) await idle(deps.store, planned);
  return answer;
}
