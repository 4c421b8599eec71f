// The engine dns/null: nobody's API. It looks whether the records are there, and tells a person exactly what to set.
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DnsRecord } from '../../../../shared/gen/aegir/v1/spec.ts';
import { isPublicName } from '../../../../shared/name.ts';
import type { ActionContext, Change, Engine } from '../../engine.ts';
import { checkRecord } from '../record.ts';
import { questionsOf, type Seen, toRemove, toSet } from './judge.ts';
import { type Answer, createLookUp, type LookUp } from './look-up.ts';
import { pack } from './pack.ts';

const AT_ONCE = 8;
/** For all look-ups of one plan: what is not known by then is told as such. */
const WITHIN_MS = 30_000;

export interface NullDnsOptions {
  readonly lookUp?: LookUp;
  readonly withinMs?: number;
}

export function createNullDnsEngine(options: NullDnsOptions = {}): Engine<'dns'> {
  const { lookUp = createLookUp(), withinMs = WITHIN_MS } = options;

  const look = async (records: readonly DnsRecord[], ctx: ActionContext): Promise<Seen> => {
    const tooLate = new AbortController();
    const timer = setTimeout(() => tooLate.abort(), withinMs);
    const signal = AbortSignal.any([ctx.signal, tooLate.signal]);
    try {
      const answers = new Map<string, Answer>();
      await atOnce(AT_ONCE, questionsOf(records), async ({ name, type }) => {
        answers.set(`${name} ${type}`, await lookUp(name, type, signal));
      });
      // Questions that were given up for the task's end have no answer worth judging.
      if (ctx.signal.aborted) throw new AegirError('cancelled', 'cannot look DNS records up: it was cancelled');
      return (name, type) => answers.get(`${name} ${type}`);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    type: 'dns',
    name: 'null',
    capabilities: new Set(),
    detect: async () => [DETECTED],
    // What a person set is nowhere marked as ours.
    inspect: async () => [],

    async plan(_service, spec, ctx) {
      const records = inPublic(spec.records, ctx);
      return pack(toSet(records, await look(records, ctx))).map(told);
    },

    async remove(_service, _siteId, spec, ctx) {
      const records = inPublic(spec?.records ?? [], ctx);
      return pack(toRemove(records, await look(records, ctx))).map(told);
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

function inPublic(records: readonly DnsRecord[], ctx: ActionContext): readonly DnsRecord[] {
  for (const record of records) checkRecord(record);
  const skipped = [...new Set(records.map(({ name }) => name).filter((name) => !isPublicName(name)))];
  if (skipped.length > 0) ctx.log('info', `in no public DNS, nothing to set there: ${skipped.join(', ')}`);
  return records.filter(({ name }) => isPublicName(name));
}

async function atOnce<T>(most: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
}
