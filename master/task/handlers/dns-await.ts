// dns.await: until the site's records are what every name server of their zone answers.
import { toAegirError } from '../../../shared/error.ts';
import { makesZones } from '../../plan/change-zone.ts';
import type { StepArgs } from '../../plan/plan.ts';
import type { StepHandler } from '../handler.ts';
import { addressesOf, askNameServer, atPort, type NameServer, publicMark } from '../name-servers.ts';
import { type HandlerDeps, readServer, readService } from '../parts.ts';
import { previewOn } from '../perform.ts';
import { takeSkip } from '../skip-mark.ts';
import { dnsRequest } from './dns.ts';

const LEAST_MS = 1_000;
const MOST_MS = 60_000;
const DNS_PORT = 53;
/** Longer than the agent looks names up for: what no name server answers takes it all. */
const LOOK_MS = 45_000;

export function createDnsAwait(deps: HandlerDeps, seen = publicMark): StepHandler<'dns.await'> {
  return {
    kind: 'dns.await',
    do: async (args, ctx) => {
      const wait = (why: string) => {
        const pause = Math.min(MOST_MS, Math.max(LEAST_MS, (ctx.now() - ctx.startedAt) / 10));
        return { is: 'wait' as const, at: ctx.now() + pause, why };
      };
      if (args.leaves === undefined) {
        const who = await takeSkip(deps.store, ctx);
        if (who !== undefined) {
          const text = `${who} said to go on without these records; the old server hands visitors on while some come`;
          ctx.emit({ $case: 'log', value: { level: 'warn', text } });
          return { is: 'done' };
        }
      }
      const { serverId, request } = await dnsRequest(deps, 'apply', args, true);
      let missing: string | undefined;
      try {
        [missing] = await previewOn(deps, serverId, request, LOOK_MS);
      } catch (thrown) {
        const error = toAegirError(thrown, 'look DNS records up');
        // Looked at again and again: an agent that is away, or looks for long, is one more thing that is waited for.
        if (!error.retryable || ctx.signal.aborted) throw error;
        return wait(`whether the records are set is not known: ${error.message}`);
      }
      if (missing !== undefined) return wait(`the records are not set yet: ${missing}`);
      for (const server of await nameServers(deps, args.zone, args.serviceId)) {
        const why = await askNameServer(server, args.records);
        if (why !== undefined) return wait(why);
      }
      const why = args.leaves === undefined ? undefined : await notLeft(deps, args, args.leaves, seen);
      return why === undefined ? { is: 'done' } : wait(why);
    },
    undo: { none: 'it only looks' },
  };
}

/** Taken back too early, what the public is still answered would be missing. */
async function notLeft(
  deps: HandlerDeps,
  args: StepArgs['dns.await'],
  leaves: string,
  seen: typeof publicMark,
): Promise<string | undefined> {
  try {
    const names = args.records.map(({ name }) => name);
    const mark = await seen(names, args.siteId);
    if (mark === undefined) return undefined;
    const service = (await deps.graph()).serviceName(await readService(deps.store, leaves));
    return (
      `the public is still answered with what ${service} has: delegate the zone elsewhere; or, to keep these records in it ` +
      `as your own, remove TXT ${mark} there`
    );
  } catch (thrown) {
    return toAegirError(thrown, 'look DNS records up').message;
  }
}

/** Those that the zone names and whose addresses are known, and the server that carries the zone. */
async function nameServers(deps: HandlerDeps, apex: string, serviceId: string): Promise<readonly NameServer[]> {
  if (apex === '') return [];
  const graph = await deps.graph();
  const zone = graph.zones.find(({ name }) => name === apex);
  if (zone === undefined) return [];
  const service = await readService(deps.store, serviceId);
  const found = new Map<string, NameServer>();
  if (makesZones(graph, zone)) {
    const { name, facts } = await readServer(deps.store, service.serverId);
    const [address] = facts.addresses;
    const at = address === undefined ? '' : atPort(address, service.detected.ports[0] ?? DNS_PORT);
    if (at !== '') found.set(at, { name, at });
  }
  for (const host of zone.nameservers) {
    const declared = graph.recordsOf(zone.id).filter(({ name, type }) => name === host && /^A(AAA)?$/.test(type));
    const addresses = declared.length > 0 ? declared.map(({ data }) => data) : await addressesOf(host);
    for (const address of addresses) {
      const at = atPort(address, DNS_PORT);
      if (!found.has(at)) found.set(at, { name: host, at });
    }
  }
  return [...found.values()];
}
