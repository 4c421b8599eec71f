// The core of the dns engines that set records by themselves: plans by the zone's contents and the marks in it, one change
// of the zone for each record. What differs between services is their ZoneTransport.
import { AegirError, toAegirError } from '../../../shared/error.ts';
import type { Finding } from '../../../shared/finding.ts';
import type { DetectedService } from '../../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { nameOnServer } from '../../../shared/service-name.ts';
import type { Host } from '../../host/host.ts';
import type { ActionContext, Capability, Change, Checking, Engine, Preparing } from '../engine.ts';
import { marksIn } from './ownership.ts';
import { askPublic, judgePublic, type PublicAnswers } from './public-serials.ts';
import { diffRecords } from './record-diff.ts';
import { type Contents, contentsAfter, contentsOf } from './rrset.ts';
import { serialOf } from './soa.ts';
import { wantedOf } from './wanted.ts';
import type { ZoneTransport } from './zone-transport.ts';

export interface RecordEngineOptions {
  readonly name: string;
  readonly capabilities?: readonly Capability[];
  detect(host: Host): Promise<readonly DetectedService[]>;
  transport(service: ServiceRef, ctx: ActionContext): Promise<ZoneTransport>;
  /** What the public sees of a zone. Default: by the system's resolver. */
  readonly askPublic?: (zone: string, signal: AbortSignal) => Promise<PublicAnswers>;
}

/** Prepared: its settings were judged, and the zones that it names were read with them. */
export function createRecordEngine(options: RecordEngineOptions): Engine<'dns'> & Preparing & Checking {
  const { transport } = options;

  const plan = async (
    service: ServiceRef,
    spec: Parameters<Engine<'dns'>['plan']>[1],
    ctx: ActionContext,
  ): Promise<readonly Change[]> => {
    const asked = wantedOf(spec.zone, spec.records);
    if (spec.zone === '') {
      throw new AegirError('invalid_argument', 'cannot set DNS records: the spec does not say in which zone');
    }
    const way = await transport(service, ctx);
    const adjusted = (await way.adjust?.(spec.zone, spec.records, ctx.signal)) ?? spec.records;
    const wanted = adjusted === spec.records ? asked : wantedOf(spec.zone, adjusted);
    const contents = await way.read(spec.zone, wanted.names, ctx.signal);
    const changes = diffRecords(spec.siteId, wanted, contents);
    // They are made one after another: what comes later is not there yet.
    const until = (at: number) => changes.slice(0, at + 1).flatMap(({ edits }) => edits);
    return changes.map(({ summary, edits }, at) => {
      const doubt = way.doubt?.(spec.zone, edits, contentsAfter(contents, until(at)));
      return {
        summary: doubt === undefined ? summary : `${summary}; ${doubt}`,
        run: ({ signal }) => way.write(spec.zone, edits, signal),
      };
    });
  };

  return {
    type: 'dns',
    name: options.name,
    capabilities: new Set<Capability>(['prepare', 'check', ...(options.capabilities ?? [])]),
    detect: options.detect,

    async inspect(service, ctx) {
      const way = await transport(service, ctx);
      const owners = new Map<string, Set<string>>();
      for (const zone of await way.zones(ctx.signal)) {
        for (const set of (await readIfThere(way, zone, [], ctx)).all()) {
          for (const { owner } of marksIn(set)) owners.set(owner, (owners.get(owner) ?? new Set()).add(zone));
        }
      }
      return [...owners].flatMap(([siteId, zones]) =>
        [...zones].map((zone) => ({ siteId, what: zone === '' ? 'DNS records' : `DNS records in ${zone}` })),
      );
    },

    plan,

    async prepare(service, ctx) {
      const way = await transport(service, ctx);
      await way.tryOut?.(ctx.signal);
      for (const zone of await way.zones(ctx.signal)) await way.read(zone, [], ctx.signal);
      return [];
    },

    /** Reading a zone shows that the service answers, and that it takes the key that was declared. */
    async check(service, ctx, zones = []) {
      const name = nameOnServer({ engine: options.name, instance: service.instance });
      const findings: Finding[] = [];
      let mute: PublicAnswers | undefined;
      let way: ZoneTransport;
      try {
        way = await transport(service, ctx);
        await way.tryOut?.(ctx.signal);
        for (const zone of zones.length === 0 ? await way.zones(ctx.signal) : [])
          await way.read(zone, [zone], ctx.signal);
      } catch (thrown) {
        ctx.signal.throwIfAborted();
        return [failed(`service:${name}`, 'dns.service', thrown)];
      }
      findings.push({
        ...{ subject: `service:${name}`, code: 'dns.service', level: 'ok' },
        text: zones.length === 0 ? 'it answers' : `its zones are read one by one: ${zones.length}`,
      });
      for (const zone of zones) {
        const subject = `zone:${zone}`;
        try {
          const contents = await way.read(zone, [zone], ctx.signal);
          findings.push({ subject, code: 'dns.zone', level: 'ok', text: `${options.name} answers for it` });
          const soa = contents.get(zone, 'SOA')?.data[0];
          // A resolver that does not answer for one zone is not asked for each of hundreds.
          const seen = mute ?? (await (options.askPublic ?? askPublic)(zone, ctx.signal));
          if (seen.failed !== '') mute = seen;
          findings.push(...judgePublic(zone, soa === undefined ? undefined : serialOf(soa), seen));
        } catch (thrown) {
          ctx.signal.throwIfAborted();
          findings.push(failed(subject, 'dns.zone', thrown));
        }
      }
      return findings;
    },

    async remove(service, siteId, spec, ctx) {
      // Also what is to go must be what it says it is: nothing is done by a spec that cannot be right.
      const named = wantedOf(spec?.zone ?? '', spec?.records ?? []);
      const way = await transport(service, ctx);
      const zones = spec === undefined || spec.zone === '' ? await way.zones(ctx.signal) : [spec.zone];
      if (zones.length === 0)
        ctx.log('warn', `it is not known in which zones ${siteId} may have records: none removed`);
      const changes: Change[] = [];
      for (const zone of zones) {
        const contents = await readIfThere(way, zone, named.names, ctx);
        for (const { summary, edits } of diffRecords(siteId, wantedOf(zone, []), contents)) {
          changes.push({ summary, run: ({ signal }) => way.write(zone, edits, signal) });
        }
      }
      return changes;
    },
  };
}

function failed(subject: string, code: string, thrown: unknown): Finding {
  return { subject, code, level: 'error', text: toAegirError(thrown, 'read the zone').message };
}

async function readIfThere(
  way: ZoneTransport,
  zone: string,
  names: readonly string[],
  ctx: ActionContext,
): Promise<Contents> {
  try {
    return await way.read(zone, names, ctx.signal);
  } catch (thrown) {
    if (!(thrown instanceof AegirError && thrown.code === 'not_found')) throw thrown;
    ctx.log('info', `nothing of ours is in zone ${zone}: ${thrown.message}`);
    return contentsOf([]);
  }
}
