// store.look and store.require: which backups are in a store, before records are forgotten, and before a person's word that
// they were moved along is believed.
import { AegirError, toAegirError } from '../../../shared/error.ts';
import type { ActionOutput } from '../../../shared/gen/aegir/v1/agent.ts';
import { displayName } from '../../../shared/name.ts';
import { nameOnServer } from '../../../shared/service-name.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { JsonObject, ServiceRecord } from '../../store/model.ts';
import type { BackupRecord } from '../../store/model-backup.ts';
import type { Store } from '../../store/store.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { holdAgain } from '../hold-again.ts';
import { told } from '../part-copy.ts';
import { type HandlerDeps, readServer, readService, refOf } from '../parts.ts';
import { answerOf, perform } from '../perform.ts';

/** An agent takes no more at once. */
const MOST_AT_ONCE = 1000;
const MOST_NAMED = 20;

type Ask = (request: ActionRequest, part: string) => Promise<ActionOutput>;
interface Wanted {
  readonly ids: readonly string[];
  /** What lies beside their indexes, too. */
  readonly beside: boolean;
}

async function absentFrom(
  deps: HandlerDeps,
  service: ServiceRecord,
  wanted: readonly Wanted[],
  ask: Ask,
): Promise<readonly string[]> {
  const ref = await refOf(deps, service);
  const absent: string[] = [];
  let asked = 0;
  for (const { ids, beside } of wanted) {
    for (let at = 0; at < ids.length; at += MOST_AT_ONCE) {
      const backupIds = ids.slice(at, at + MOST_AT_ONCE);
      const request: ActionRequest = { $case: 'findBackups', value: { service: ref, backupIds, beside } };
      const output = await ask(request, `find${asked}`);
      asked += 1;
      const found = new Set(told(output.absent, 'a look for backups').backupIds);
      absent.push(...backupIds.filter((id) => found.has(id)));
    }
  }
  return absent;
}

const asStep =
  (deps: HandlerDeps, ctx: StepContext, { id, serverId }: ServiceRecord): Ask =>
  async (request, part) =>
    (await perform(deps, ctx, 'do', serverId, `service/${id}`, request, part)).output;

export async function storeName(store: Store, service: ServiceRecord): Promise<string> {
  return `${(await readServer(store, service.serverId)).name}/${nameOnServer(service)}`;
}

/** What is told of a backup that is not in its store, and what to do. */
export function missingFrom(name: string): string {
  return (
    `its index is not on ${name}; where that was led elsewhere, lead it back (aegir service set ${name} --set … --moved), ` +
    'or bring its files there'
  );
}

export function createStoreLook(deps: HandlerDeps): StepHandler<'store.look'> {
  return {
    kind: 'store.look',
    do: async ({ serviceId, backupIds }, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const service = await readService(deps.store, serviceId);
      const absent = await absentFrom(deps, service, [{ ids: backupIds, beside: false }], asStep(deps, ctx, service));
      if (absent.length > 0) {
        const text = `not found, so their records stay, as missing: ${absent.slice(0, MOST_NAMED).join(', ')}${more(absent)}`;
        ctx.emit({ $case: 'log', value: { level: 'warn', text } });
      }
      return { is: 'done', result: { absent } };
    },
    undo: { none: 'it only looks' },
  };
}

/** What that step did not find. */
export function absentOf(results: ReadonlyMap<number, JsonObject>, looked: number | undefined): ReadonlySet<string> {
  const absent = looked === undefined ? [] : results.get(looked)?.['absent'];
  return new Set(Array.isArray(absent) ? absent.map(String) : []);
}

export function createStoreRequire(deps: HandlerDeps): StepHandler<'store.require'> {
  const require = async (service: ServiceRecord, ask: Ask): Promise<void> => {
    const name = await storeName(deps.store, service);
    const backups = await deps.store.backups.find({ serviceId: service.id });
    const of = (wanted: BackupRecord['state']) => backups.filter(({ state }) => state === wanted).map(({ id }) => id);
    let absent: readonly string[];
    try {
      const wanted = [
        { ids: of('ready'), beside: true },
        { ids: of('damaged'), beside: false },
      ];
      absent = await absentFrom(deps, service, wanted, ask);
    } catch (thrown) {
      const error = toAegirError(thrown, 'look for backups');
      if (error.code !== 'failed_precondition') throw thrown;
      // It would be made, empty.
      const why = error.message
        .replace(/^cannot open the store: /, '')
        .replace(/; aegir service verify makes it.*$/, '');
      throw refused(name, `its backups are not at the new place: ${why}`);
    }
    if (absent.length === 0) return;
    const named = backups.filter(({ id }) => absent.includes(id)).slice(0, MOST_NAMED);
    const which = named.map(({ id, siteName }) => `${id} of ${displayName(siteName)}`).join('; ');
    throw refused(name, `not at the new place, or not with all that belongs to it: ${which}${more(absent)}`);
  };
  return {
    kind: 'store.require',
    do: async ({ serviceId, to }, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const service = { ...(await readService(deps.store, serviceId)), ...to };
      await require(service, asStep(deps, ctx, service));
      return { is: 'done' };
    },
    undo: { none: 'it only looks' },
    preview: async ({ serviceId, to }) => {
      const service = { ...(await readService(deps.store, serviceId)), ...to };
      await require(service, (request) => answerOf(deps, service.serverId, request));
      return [];
    },
  };
}

function refused(name: string, why: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot set ${name}: ${why}; move all files of its store there first, delete the backups that are gone for good, or say ` +
      '--leave-backups',
    { retryable: false },
  );
}

function more(all: readonly string[]): string {
  return all.length > MOST_NAMED ? `; and ${all.length - MOST_NAMED} more` : '';
}
