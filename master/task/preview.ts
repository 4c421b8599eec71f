// What each step of a plan would change now, asked from the agents' engines. Reads only.
import { toAegirError } from '../../shared/error.ts';
import type { Plan } from '../plan/plan.ts';
import type {
  HeadRecord,
  PlatformRecord,
  SecretRecord,
  ServiceRecord,
  SiteRecord,
  ZoneRecord,
} from '../store/model.ts';
import type { Store, Table } from '../store/store.ts';
import type { Handlers, StepHandler } from './handler.ts';

const AT_ONCE = 16;

export interface StepPreview {
  readonly changes: readonly string[];
  /** Why changes could not be told; empty otherwise. */
  readonly note: string;
}

export async function previewPlan(
  plan: Plan,
  handlers: Handlers,
  signal: AbortSignal,
): Promise<readonly StepPreview[]> {
  const look = async (step: Plan['steps'][number]): Promise<StepPreview> => {
    const handler = handlers[step.kind] as unknown as StepHandler<'server.detect'>;
    if (handler.preview === undefined) return { changes: [], note: '' };
    try {
      signal.throwIfAborted();
      return { changes: await handler.preview(step.args as never, signal), note: '' };
    } catch (thrown) {
      const why = signal.aborted ? 'there was no time left to ask' : toAegirError(thrown, 'preview').message;
      return { changes: [], note: `not known: ${why}` };
    }
  };
  // A server may carry thousands of sites: agents are asked a few questions at a time.
  const previews: StepPreview[] = [];
  const left = plan.steps.entries();
  const worker = async (): Promise<void> => {
    for (const [index, step] of left) previews[index] = await look(step);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return previews;
}

/** The store with records that a plan would save, so that previews can be made before anything is saved. */
export function withDraft(
  store: Store,
  draft: {
    site?: SiteRecord;
    platform?: PlatformRecord;
    service?: ServiceRecord;
    zone?: ZoneRecord;
    heads?: readonly HeadRecord[];
    secrets?: readonly SecretRecord[];
  },
): Store {
  return {
    ...store,
    sites: over(store.sites, draft.site === undefined ? [] : [draft.site]),
    platforms: over(store.platforms, draft.platform === undefined ? [] : [draft.platform]),
    services: over(store.services, draft.service === undefined ? [] : [draft.service]),
    zones: over(store.zones, draft.zone === undefined ? [] : [draft.zone]),
    heads: over(store.heads, draft.heads ?? []),
    secrets: over(store.secrets, draft.secrets ?? []),
  };
}

function over<R extends { readonly id: string }>(table: Table<R>, drafts: readonly R[]): Table<R> {
  if (drafts.length === 0) return table;
  return {
    find: async (where = {}) => {
      const kept = await table.find(where);
      const wanted = drafts.filter((draft) =>
        Object.entries(where).every(([key, value]) => draft[key as keyof R] === value),
      );
      return [...kept.filter((row) => !drafts.some((draft) => draft.id === row.id)), ...wanted];
    },
    insert: (record) => table.insert(record),
    update: (id, patch) => table.update(id, patch),
    delete: (id) => table.delete(id),
    get: async (id) => drafts.find((draft) => draft.id === id) ?? table.get(id),
  };
}
