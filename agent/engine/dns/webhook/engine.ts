// The engine dns/webhook: any DNS service for which somebody has written a webhook provider of external-dns.
import { AegirError } from '../../../../shared/error.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { Engine } from '../../engine.ts';
import { createRecordEngine } from '../record-engine.ts';
import { contentsOf, mergeEdits } from '../rrset.ts';
import { checkKeys, urlOf } from '../settings.ts';
import type { ZoneTransport } from '../zone-transport.ts';
import {
  adjustedRecords,
  type Changes,
  changesOf,
  inOrder,
  nameOf,
  notDone,
  recordsOf,
  wantedEndpoints,
} from './endpoint.ts';
import { createProvider, type DomainFilter, matches, type Provider } from './provider.ts';

export interface WebhookOptions {
  readonly withinMs?: number;
  /** How long a provider may take until its records show what it was told. */
  readonly shownMs?: number;
}

const SHOWN_MS = 15_000;
const LOOK_AGAIN_MS = 500;

/** All that a provider has, of whatever zone. */
const EVERYTHING = '';

/** Settings: url. Secrets: token (optional), sent as "Authorization: Bearer". */
export function createWebhookEngine({ withinMs, shownMs = SHOWN_MS }: WebhookOptions = {}): Engine<'dns'> {
  return createRecordEngine({
    name: 'webhook',
    // A provider may be anywhere: people declare it.
    detect: async () => [],
    async transport(service, { signal }) {
      checkKeys(service, { settings: ['url'], secrets: ['token'] });
      const provider = createProvider({
        url: urlOf(service, 'url'),
        token: service.secrets['token']?.trim() || undefined,
        ...(withinMs === undefined ? {} : { withinMs }),
      });
      return transportOf(provider, await provider.negotiate(signal), shownMs);
    },
  });
}

function transportOf(provider: Provider, filter: DomainFilter, shownMs: number): ZoneTransport {
  return {
    zones: async () =>
      filter.include.length === 0 ? [EVERYTHING] : filter.include.map((each) => each.replace(/^\./, '')),

    async read(zone, _names, signal) {
      refuseOthers(zone, filter);
      const all = await provider.records(signal);
      const isIn = (name: string): boolean => zone === EVERYTHING || name === zone || name.endsWith(`.${zone}`);
      return contentsOf(all.filter((each) => isIn(nameOf(each))).flatMap(recordsOf));
    },

    async write(zone, edits, signal) {
      const doing = zone === EVERYTHING ? 'change records' : `change zone ${zone}`;
      const changes = changesOf(mergeEdits(edits), await provider.records(signal), doing);
      const adjusted = async (wanted: Changes['create']) =>
        inOrder(wanted, await provider.adjust(wanted, signal), doing);
      const told = {
        ...changes,
        create: await adjusted(changes.create),
        updateNew: await adjusted(changes.updateNew),
      };
      await provider.apply(told, signal);
      await seeDone(provider, told, { doing, shownMs, signal });
    },

    async adjust(zone, records, signal) {
      refuseOthers(zone, filter);
      for (const { name } of records) refuseLeftOut(name, filter);
      return adjustedRecords(records, await provider.adjust(wantedEndpoints(records), signal));
    },
  };
}

function refuseOthers(zone: string, filter: DomainFilter): void {
  if (zone === EVERYTHING || matches(filter, zone) || filter.include.includes(`.${zone}`)) return;
  const why = `the webhook provider does not carry zone ${zone}; it has ${filter.include.join(', ')}`;
  throw new AegirError('not_found', `cannot use zone ${zone}: ${why}`, { untouched: true });
}

/** What a provider passes over in silence it would never publish. */
function refuseLeftOut(name: string, filter: DomainFilter): void {
  if (matches(filter, name)) return;
  const why = `the webhook provider leaves that name out, by the filter of domains that it was started with`;
  throw new AegirError('failed_precondition', `cannot set records of ${name}: ${why}`, { untouched: true });
}

/** That a provider takes changes says little: many log what they could not do, and answer as if it were done. */
async function seeDone(
  provider: Provider,
  told: Changes,
  { doing, shownMs, signal }: { readonly doing: string; readonly shownMs: number; readonly signal: AbortSignal },
): Promise<void> {
  let left: string | undefined;
  const isDone = async (): Promise<boolean> => {
    left = notDone(told, await provider.records(signal));
    return left === undefined;
  };
  if (await waitUntil(isDone, shownMs, LOOK_AGAIN_MS)) return;
  const why = `the webhook provider took it, and does not show ${left} as it was told; see what the provider logs`;
  throw new AegirError('unavailable', `cannot ${doing}: ${why}`);
}
