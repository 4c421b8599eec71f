// What each step of a plan would change now, asked from the agents' engines. Reads only.
import { type AegirError, type ErrorCode, toAegirError } from '../../shared/error.ts';
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
  /** The agent will not do the step as it stands, and no step before it changes that. */
  readonly refusal?: AegirError;
}

/** What an agent answers when asking again, or waiting, is of no use. */
const DEFINITE: ReadonlySet<ErrorCode> = new Set([
  'invalid_argument',
  'failed_precondition',
  'not_found',
  'permission_denied',
  'unimplemented',
]);

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
      if (signal.aborted) return { changes: [], note: 'not known: there was no time left to ask' };
      const error = toAegirError(thrown, 'preview');
      // A verify goes on past what it cannot mend, and tells it.
      const definite = DEFINITE.has(error.code) && !error.retryable && step.kind !== 'verify.part';
      // A move copies what cannot be followed.
      if (definite && step.kind === 'replica.open') {
        const why = error.message.replace(/^cannot [^:]*: /, '');
        return { changes: [], note: `not followed, but copied once more while visitors wait: ${why}` };
      }
      return { changes: [], note: `not known: ${error.message}`, ...(definite ? { refusal: error } : {}) };
    }
  };
  // A server may carry thousands of sites: agents are asked a few questions at a time.
  const previews: StepPreview[] = [];
  const left = plan.steps.entries();
  const worker = async (): Promise<void> => {
    for (const [index, step] of left) previews[index] = await look(step);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const acts = previews.findIndex(({ changes }) => changes.length > 0);
  return previews.map(({ refusal, ...told }, index) => {
    // What a step before would change may be what this one needs.
    if (refusal === undefined || (acts >= 0 && acts < index)) return told;
    return { ...told, note: `refused: ${refusal.message}`, refusal };
  });
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
