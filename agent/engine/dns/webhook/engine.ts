// The engine dns/webhook: any DNS service for which somebody has written a webhook provider of external-dns.
import { AegirError } from '../../../../shared/error.ts';
import type { Engine } from '../../engine.ts';
import { createRecordEngine } from '../record-engine.ts';
import { contentsOf, mergeEdits } from '../rrset.ts';
import { checkKeys, urlOf } from '../settings.ts';
import type { ZoneTransport } from '../zone-transport.ts';
import { adjustedRecords, changesOf, nameOf, recordsOf, wantedEndpoints } from './endpoint.ts';
import { createProvider, type DomainFilter, matches, type Provider } from './provider.ts';

export interface WebhookOptions {
  readonly withinMs?: number;
}

/** All that a provider has, of whatever zone. */
const EVERYTHING = '';

/** Settings: url. Secrets: token (optional), sent as "Authorization: Bearer". */
export function createWebhookEngine({ withinMs }: WebhookOptions = {}): Engine<'dns'> {
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
      return transportOf(provider, await provider.negotiate(signal));
    },
  });
}

function transportOf(provider: Provider, filter: DomainFilter): ZoneTransport {
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
      const create = await provider.adjust(changes.create, signal);
      const updateNew = await provider.adjust(changes.updateNew, signal);
      if (create.length !== changes.create.length || updateNew.length !== changes.updateNew.length) {
        const why =
          'the webhook provider leaves some of the records out, perhaps the TXT records that tell what is ours';
        throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
      }
      await provider.apply({ ...changes, create, updateNew }, signal);
    },

    async adjust(zone, records, signal) {
      refuseOthers(zone, filter);
      return adjustedRecords(records, await provider.adjust(wantedEndpoints(records), signal));
    },
  };
}

function refuseOthers(zone: string, filter: DomainFilter): void {
  if (zone === EVERYTHING || matches(filter, zone) || filter.include.includes(`.${zone}`)) return;
  const why = `the webhook provider does not carry zone ${zone}; it has ${filter.include.join(', ')}`;
  throw new AegirError('not_found', `cannot use zone ${zone}: ${why}`, { untouched: true });
}
