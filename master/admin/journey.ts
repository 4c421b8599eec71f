// A site that is on its way to another place: what is told of it beside its state.
import type { SiteJourney } from '../../shared/gen/aegir/v1/admin.ts';
import type { Graph } from '../graph/graph.ts';
import { ENDED_TASK_STATES, type SiteRecord } from '../store/model.ts';
import type { AdminDeps } from './deps.ts';

const LOOKED_AT = 20;

/** undefined for one that stays. */
export async function journeyOf(
  { store }: Pick<AdminDeps, 'store'>,
  graph: Graph,
  { id, moving }: SiteRecord,
): Promise<SiteJourney | undefined> {
  if (moving === null) return undefined;
  const tasks = await store.tasks.list({ subjectId: id, limit: LOOKED_AT });
  const task = tasks.find(
    ({ verb, state }) => verb === 'site.migrate' && !(ENDED_TASK_STATES as readonly string[]).includes(state),
  );
  const { from, to, phase } = moving;
  const others = [to.http === from.http ? '' : to.http, to.db === from.db ? '' : to.db].filter((each) => each !== '');
  return {
    to: others.map((each) => graph.serviceName(graph.service(each))),
    phase,
    taskId: task?.id ?? '',
    taskState: task?.state ?? '',
    reason: task?.reason ?? '',
  };
}
