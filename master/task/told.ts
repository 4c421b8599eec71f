// What the kept events of a task say of the task itself; looked at when the records alone do not tell.
import type { JsonObject } from '../store/model.ts';
import type { Store } from '../store/store.ts';

const PAGE = 500;

interface Turn {
  readonly to: string;
  readonly reason: string;
}

/** The state that was told last; '' for none. */
export async function lastTold(store: Store, taskId: string): Promise<string> {
  let last = '';
  for await (const turn of turnsOf(store, taskId)) last = turn.to;
  return last;
}

/** Why undoing began first; '' when it did not, or by a cancel. */
export async function whyUndone(store: Store, taskId: string): Promise<string> {
  for await (const turn of turnsOf(store, taskId)) if (turn.to === 'undoing') return turn.reason;
  return '';
}

async function* turnsOf(store: Store, taskId: string): AsyncIterable<Turn> {
  for (let after = 0; ; ) {
    const page = await store.events.list(taskId, after, PAGE);
    for (const { step, body, seq } of page) {
      after = seq;
      const state = body['state'] as JsonObject | undefined;
      // As ts-proto writes JSON: what is empty is left out.
      if (step === null && state !== undefined)
        yield { to: String(state['to'] ?? ''), reason: String(state['reason'] ?? '') };
    }
    if (page.length < PAGE) return;
  }
}
