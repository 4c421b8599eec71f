// Reports of server verify, as they are kept: in the results of the tasks that made them.
import type { ServerReport } from '../report/finding.ts';
import type { JsonObject } from '../store/model.ts';
import type { Store } from '../store/store.ts';

/** Newer tasks of the server that made no report, as they failed before. */
const LOOKED_AT = 50;

export interface KeptReport {
  readonly taskId: string;
  readonly report: ServerReport;
}

export function reportIn(result: JsonObject | null): ServerReport | undefined {
  return result?.['report'] as unknown as ServerReport | undefined;
}

/** except: a task that is making one now. */
export async function newestReport(
  store: Pick<Store, 'tasks' | 'steps'>,
  serverId: string,
  except = '',
): Promise<KeptReport | undefined> {
  for (const { id, verb } of await store.tasks.list({ subjectId: serverId, limit: LOOKED_AT })) {
    const report = verb === 'server.verify' && id !== except ? await reportOf(store, id) : undefined;
    if (report !== undefined) return { taskId: id, report };
  }
  return undefined;
}

export async function reportOf(store: Pick<Store, 'steps'>, taskId: string): Promise<ServerReport | undefined> {
  const steps = await store.steps.ofTask(taskId);
  return steps.map(({ result }) => reportIn(result)).find((report) => report !== undefined);
}
