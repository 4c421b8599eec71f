// The steps around a move of a site: what the graph says of it, whether it can, and the waits.

import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import { moment } from '../../../shared/for-people.ts';
import type { PortTarget } from '../../../shared/gen/aegir/v1/agent.ts';
import type { Place, PlannedMove } from '../../plan/plan.ts';
import type { ServerRecord } from '../../store/model.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { type HandlerDeps, readParts, readServer } from '../parts.ts';
import { perform } from '../perform.ts';
import { takeSkip } from '../skip-mark.ts';
import { platformSpec } from '../spec.ts';
import { webServerOf } from './copy.ts';

export function createSiteMove({ store }: HandlerDeps): StepHandler<'site.move'> {
  const say = (siteId: string, moving: PlannedMove | null) =>
    store.transaction(async (tx) => {
      if ((await tx.sites.get(siteId)) !== undefined) await tx.sites.update(siteId, { moving });
    });
  return {
    kind: 'site.move',
    do: async ({ siteId, to }) => {
      await say(siteId, to);
      return { is: 'done' };
    },
    undo: async ({ siteId, before }) => {
      await say(siteId, before);
      return { is: 'done' };
    },
    // Where its bindings say is where a verify brings it.
    givenUp: ({ siteId }) => say(siteId, null),
  };
}

export function createSitePlace({ store }: HandlerDeps): StepHandler<'site.place'> {
  const put = (siteId: string, { platformId, http, db }: Place, dns?: { readonly from: string; readonly to: string }) =>
    store.transaction(async (tx) => {
      const site = await tx.sites.get(siteId);
      if (site === undefined) return;
      const { db: _, ...others } = site.bindings;
      // A move takes days: it may have been disabled, or removed, since.
      const goes = dns !== undefined && others.dns === dns.from && (await tx.services.get(dns.to))?.state === 'enabled';
      const along = goes ? { dns: dns.to } : {};
      await tx.sites.update(siteId, {
        platformId,
        bindings: { ...others, http, ...(db === '' ? {} : { db }), ...along },
      });
    });
  return {
    kind: 'site.place',
    do: async ({ siteId, to, dns }) => {
      await put(siteId, to, dns && { from: dns.before, to: dns.to });
      return { is: 'done' };
    },
    undo: async ({ siteId, before, dns }) => {
      await put(siteId, before, dns && { from: dns.to, to: dns.before });
      return { is: 'done' };
    },
  };
}

/** Room that must be left on a disk beyond what the site has. */
const SPARE_BYTES = 256 * 1024 * 1024;

export function createMoveCheck(deps: HandlerDeps): StepHandler<'move.check'> {
  return {
    kind: 'move.check',
    do: async ({ siteId, from, to, copy = false }, ctx) => {
      const [there, here] = [await readParts(deps, siteId, to), await readParts(deps, siteId, from)];
      const verb = copy ? 'copy' : 'move';
      const newServer = await readServer(deps.store, webServerOf(there));
      const site = `site/${siteId}`;
      const { output } = await perform(
        deps,
        ctx,
        'do',
        newServer.id,
        site,
        { $case: 'verifyPlatform', value: { platform: platformSpec(there.platform) } },
        'platform',
      );
      const found = output.platform;
      if (found?.app !== here.platform.app) {
        throw new AegirError(
          'failed_precondition',
          `cannot ${verb} ${here.site.name} to ${there.platform.name}: that is ${found?.app ?? 'no platform'}, and the site runs on ${here.platform.app}`,
        );
      }
      await requireRoom(deps, siteId, newServer, verb);
      const db = there.db;
      if (db !== null && db.server.id !== newServer.id) {
        await requirePorts(deps, ctx, siteId, newServer, db.server, db.service.detected.ports.slice(0, 1), 'db', verb);
      }
      return { is: 'done', result: { version: found.version } };
    },
    undo: { none: 'it only looks' },
  };
}

/** A web server without any site may not listen yet: so this comes when the site is prepared there. */
export function createMoveReach(deps: HandlerDeps): StepHandler<'move.reach'> {
  return {
    kind: 'move.reach',
    do: async ({ siteId, from, to }, ctx) => {
      const [there, here] = [await readParts(deps, siteId, to), await readParts(deps, siteId, from)];
      const oldServer = await readServer(deps.store, webServerOf(here));
      const newServer = await readServer(deps.store, webServerOf(there));
      const ports = there.http.detected.ports.slice(0, there.site.web.https === 'off' ? 1 : 2);
      await requirePorts(deps, ctx, siteId, oldServer, newServer, ports, 'http', 'move');
      return { is: 'done' };
    },
    undo: { none: 'it only looks' },
  };
}

async function requireRoom(deps: HandlerDeps, siteId: string, server: ServerRecord, verb: string): Promise<void> {
  const days = await deps.store.usage.byDay(siteId, '');
  const files = Math.max(0, ...days.map(({ fileBytes }) => fileBytes ?? 0));
  const disk = server.facts.disks
    .filter(({ mount }) => mount === '/' || '/var/lib/aegir'.startsWith(mount))
    .sort((one, other) => other.mount.length - one.mount.length)[0];
  if (disk === undefined || Number(disk.freeBytes) >= files + SPARE_BYTES) return;
  throw new AegirError(
    'failed_precondition',
    `cannot ${verb} the site to ${server.name}: it has ${byteSize(files)} of files and ${disk.mount} has room for ` +
      `${byteSize(Number(disk.freeBytes))}; make room there`,
  );
}

async function requirePorts(
  deps: HandlerDeps,
  ctx: StepContext,
  siteId: string,
  from: ServerRecord,
  to: ServerRecord,
  ports: readonly number[],
  part: string,
  verb: string,
): Promise<void> {
  const [address] = to.facts.addresses;
  if (address === undefined || ports.length === 0) return;
  const targets: PortTarget[] = ports.map((port) => ({ address, port }));
  const { output } = await perform(
    deps,
    ctx,
    'do',
    from.id,
    // Of the site, not of the server: moves of others look there at the same time.
    `site/${siteId}`,
    { $case: 'probePorts', value: { targets } },
    `ports.${part}`,
  );
  const shut = output.ports.find(({ answer }) => answer !== 'open');
  if (shut === undefined) return;
  throw new AegirError(
    'failed_precondition',
    `cannot ${verb} the site: ${from.name} does not reach port ${shut.port} of ${to.name} at ${address} (${shut.answer}); ` +
      'let it through, and see that the daemon runs',
  );
}

export function createMoveWait(): StepHandler<'move.wait'> {
  return {
    kind: 'move.wait',
    do: async ({ seconds, why }, ctx) => {
      const end = ctx.startedAt + seconds * 1000;
      if (ctx.now() >= end) return { is: 'done' };
      return { is: 'wait', at: end, why };
    },
    undo: { none: 'time passed' },
  };
}

/** Somebody may say meanwhile that it goes on without. */
const LOOK_AGAIN_MS = 60_000;

export function createMoveQuiet(deps: HandlerDeps): StepHandler<'move.quiet'> {
  return {
    kind: 'move.quiet',
    do: async ({ siteId, serverId, seconds, most }, ctx) => {
      const who = await takeSkip(deps.store, ctx);
      if (who !== undefined) {
        const text = `${who} said to go on: who still comes to the old server finds nothing there from now on`;
        ctx.emit({ $case: 'log', value: { level: 'warn', text } });
        return { is: 'done' };
      }
      const { output } = await perform(deps, ctx, 'do', serverId, `site/${siteId}`, {
        $case: 'siteTraffic',
        value: { siteId },
      });
      const last = output.traffic?.lastAt?.getTime() ?? 0;
      const quietAt = Math.max(last, ctx.startedAt) + seconds * 1000;
      const end = ctx.startedAt + most * 1000;
      if (ctx.now() >= quietAt) return { is: 'done' };
      if (ctx.now() < end) {
        const why = `visitors still come to ${(await readServer(deps.store, serverId)).name}, the last one at ${moment(last)}`;
        return {
          is: 'wait',
          at: Math.min(quietAt, end, ctx.now() + LOOK_AGAIN_MS),
          why: last <= ctx.startedAt ? 'the old server stays a while, for late visitors' : why,
        };
      }
      const text = `requests still came to the old server ${most} s after the last old DNS answer had ended, from clients that keep addresses for ever; they find nothing there now`;
      ctx.emit({ $case: 'message', value: { kind: 'warning', text, value: '', expiresAt: undefined } });
      return { is: 'done' };
    },
    undo: { none: 'time passed' },
  };
}
