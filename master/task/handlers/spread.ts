// The steps about files that each head of a cluster has of its own: they travel from the head that takes writes to others,
// and which one that is is recorded.
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import { treesOf } from '../../../shared/vocabulary.ts';
import type { SiteSpread } from '../../store/model.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { dropSnapshot, dropSnapshots, MOST_ATTEMPTS, restoreSnapshot, takeSnapshot, told } from '../part-copy.ts';
import { type HandlerDeps, readParts, readService } from '../parts.ts';
import { type SiteParts, siteSpec, type WebServer } from '../spec.ts';

/** A walk over a million files. */
const LOOK_MS = 120_000;
const LOOK_AGAIN_MS = 2_000;

/** Digest of what the files of a site are on a server, in hexadecimal. Throws unavailable. */
export async function lookAt(
  agents: HandlerDeps['agents'],
  serverId: string,
  siteId: string,
  trees: readonly string[],
): Promise<string> {
  const request = { $case: 'lookFiles' as const, value: { siteId, trees: [...trees] } };
  const { outcome } = await agents.ask(serverId, request, LOOK_MS);
  if (outcome?.$case === 'error') throw new AegirError('unavailable', outcome.value.message, { retryable: true });
  return Buffer.from(told(outcome?.value.files, 'a look at files').digest).toString('hex');
}

/** Those that shall get them now. */
function targetsOf(
  { servers, site }: SiteParts,
  to: readonly string[],
  discard: boolean,
  is: (each: WebServer) => boolean,
): readonly WebServer[] {
  return servers.filter(
    (each) =>
      to.includes(each.service.id) && (discard || site.spread?.kept.includes(each.service.id) !== true) && is(each),
  );
}

export function createSyncFiles(deps: HandlerDeps): StepHandler<'sync.files'> {
  const isThere = ({ server }: WebServer) => deps.agents.isConnected(server.id);
  return {
    kind: 'sync.files',
    do: async ({ siteId, from, to, must, discard }, ctx) => {
      const parts = await readParts(deps, siteId);
      const source = parts.servers.find(({ service }) => service.id === from);
      const targets = targetsOf(parts, to, discard, (each) => must || isThere(each));
      if (source === undefined || targets.length === 0 || (!must && !isThere(source))) {
        ctx.emit({ $case: 'log', value: { level: 'warn', text: 'none of these servers is connected: left out' } });
        return { is: 'done', result: { left: true } };
      }
      if (!isThere(source)) {
        const why = `waiting for the agent of ${source.server.name} to connect`;
        return { is: 'wait', at: ctx.now() + LOOK_AGAIN_MS, why };
      }
      const result = await bring(deps, parts, source, targets, ctx);
      return { is: 'done', result };
    },
    undo: async ({ siteId, from }, ctx) => {
      const { serverId } = await readService(deps.store, from);
      await dropSnapshots(deps, ctx, 'undo', serverId, siteId, 'files', MOST_ATTEMPTS);
      return { is: 'done' };
    },
  };
}

/** One snapshot for all of them. */
async function bring(
  deps: HandlerDeps,
  parts: SiteParts,
  source: WebServer,
  targets: readonly WebServer[],
  ctx: StepContext,
) {
  const { id: siteId } = parts.site;
  const trees = [...treesOf(parts.platform.app)];
  // The look first: what changes after it makes the next look another one.
  const digest = await lookAt(deps.agents, source.server.id, siteId, trees);
  const snapshot = await takeSnapshot(deps, ctx, source.server.id, 'files', {
    site: siteSpec(parts, source.server.id),
    part: { $case: 'files', value: { trees, last: true } },
  });
  let received = 0;
  for (const { service, server } of targets) {
    const restore = await restoreSnapshot(
      deps,
      ctx,
      snapshot,
      server.id,
      siteId,
      'files',
      async (source) => ({
        $case: 'restoreFiles',
        value: { site: siteSpec(parts, server.id), source, trees, fetchOnly: false },
      }),
      `${service.id}.restore`,
    );
    received += Number(restore.receivedBytes);
    const text = `${server.name}: ${byteSize(Number(snapshot.facts.bytes))}, sent ${byteSize(Number(restore.receivedBytes))}, wrote ${byteSize(Number(restore.writtenBytes))}`;
    ctx.emit({ $case: 'log', value: { level: 'info', text } });
    const copy = { head: service.id, digest, at: ctx.now() };
    await change(deps, siteId, source.service.id, (spread) => ({
      ...spread,
      copies: [...spread.copies.filter(({ head }) => head !== service.id), copy],
    }));
  }
  await dropSnapshot(deps, ctx, 'do', source.server.id, siteId, 'files', ctx.attempt);
  return { copied: targets.length, received };
}

/** writer: where none was recorded; '' leaves it so. */
async function change(
  deps: HandlerDeps,
  siteId: string,
  writer: string,
  to: (spread: SiteSpread) => SiteSpread,
): Promise<void> {
  await deps.store.transaction(async (tx) => {
    const site = await tx.sites.get(siteId);
    if (site === undefined) return;
    const spread = site.spread ?? (writer === '' ? null : { writer, copies: [], kept: [] });
    if (spread !== null) await tx.sites.update(siteId, { spread: to(spread) });
  });
}

export function createSiteWriter(deps: HandlerDeps): StepHandler<'site.writer'> {
  return {
    kind: 'site.writer',
    do: async ({ siteId, to, before, lost }, ctx) => {
      await change(deps, siteId, to, (spread) => {
        const others = spread.copies.filter(({ head }) => head !== to);
        return {
          writer: to,
          // Just now it gave all that it has.
          copies: lost
            ? others
            : [...others.filter(({ head }) => head !== before), { head: before, digest: '', at: ctx.now() }],
          kept: lost ? [...new Set([...spread.kept, before])] : spread.kept,
        };
      });
      return { is: 'done' };
    },
    undo: async ({ siteId, before, lost }) => {
      await change(deps, siteId, before, (spread) => ({
        writer: before,
        copies: spread.copies.filter(({ head }) => head !== before),
        kept: lost ? spread.kept.filter((head) => head !== before) : spread.kept,
      }));
      return { is: 'done' };
    },
  };
}

export function createSpreadTidy(deps: HandlerDeps): StepHandler<'spread.tidy'> {
  const note = async (siteIds: readonly string[], head: string, keeps: boolean): Promise<void> => {
    for (const siteId of siteIds) {
      await change(deps, siteId, '', (spread) => {
        const others = spread.kept.filter((each) => each !== head);
        return { ...spread, kept: keeps ? [...others, head] : others };
      });
    }
  };
  return {
    kind: 'spread.tidy',
    do: async ({ head, siteIds }) => {
      await note(siteIds, head, false);
      return { is: 'done' };
    },
    undo: async ({ head, siteIds }) => {
      await note(siteIds, head, true);
      return { is: 'done' };
    },
  };
}
