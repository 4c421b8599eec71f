// A person's word that a task goes on without what a step of it waits for.
import type { Store } from '../store/store.ts';
import type { StepContext } from './handler.ts';

/** Id of the setting that keeps the word; who it was is its value. */
export function skipMark(taskId: string, step: number): string {
  return `skip-wait ${taskId}.${step}`;
}

/** Who said so of this step; undefined when nobody did. The word goes once the step is done. */
export async function takeSkip(store: Store, ctx: StepContext): Promise<string | undefined> {
  const mark = skipMark(ctx.taskId, ctx.step);
  const said = await store.settings.get(mark);
  if (said === undefined) return undefined;
  ctx.afterDurable(() => void store.settings.delete(mark).catch(() => {}));
  return said.value;
}
