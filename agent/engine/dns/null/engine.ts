// The engine dns/null: nobody's API. It looks whether the records are there, and tells a person exactly what to set.
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DnsRecord } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Change, Engine } from '../../engine.ts';
import { createLookUp, type LookUp } from './look-up.ts';

const AT_ONCE = 8;

export function createNullDnsEngine(lookUp: LookUp = createLookUp()): Engine<'dns'> {
  return {
    type: 'dns',
    name: 'null',
    capabilities: new Set(),
    detect: async () => [DETECTED],
    inspect: async () => [],

    async plan(_service, spec) {
      const seen = await inTurns(spec.records.filter(isPublic), async (record) => ({
        record,
        now: await lookUp(record.name, record.type),
      }));
      return seen
        .filter(({ record, now }) => !('values' in now && now.values.includes(normal(record.data))))
        .map(({ record, now }) => {
          const state = 'values' in now ? (now.values.length === 0 ? 'nothing' : now.values.join(', ')) : now.failed;
          return told(`set ${inWords(record)} at your DNS provider (now: ${state})`);
        });
    },

    async remove(_service, _siteId, spec) {
      const seen = await inTurns((spec?.records ?? []).filter(isPublic), async (record) => ({
        record,
        now: await lookUp(record.name, record.type),
      }));
      return seen
        .filter(({ record, now }) => 'values' in now && now.values.includes(normal(record.data)))
        .map(({ record }) => told(`remove ${inWords(record)} at your DNS provider`));
    },
  };
}

const DETECTED: DetectedService = {
  type: 'dns',
  engine: 'null',
  instance: '',
  version: '',
  ports: [],
  configRoots: [],
  running: true,
  manageable: true,
  socket: '',
  capabilities: [],
};

/** Running it tells the person: that is all this engine can do. */
function told(summary: string): Change {
  return {
    summary,
    run: async (ctx) => ctx.message({ kind: 'todo', text: summary, value: '', expiresAt: undefined }),
  };
}

function inWords(record: DnsRecord): string {
  return `${record.name}. ${record.ttl} IN ${record.type} ${record.data}`;
}

/** IPv6 addresses have many spellings; names end with a dot or not. */
function normal(data: string): string {
  return data.toLowerCase().replace(/\.$/, '');
}

/** Special-use names are in no public DNS (RFC 6761, RFC 6762, RFC 9476), nor are single labels. */
const PRIVATE = ['localhost', 'test', 'invalid', 'example', 'local', 'internal', 'alt', 'onion', 'home.arpa'];

export function isPublic(record: DnsRecord): boolean {
  const name = record.name.toLowerCase();
  return name.includes('.') && !PRIVATE.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(work))));
  }
  return results;
}
