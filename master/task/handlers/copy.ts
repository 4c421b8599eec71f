// The steps that bring a site's files and database to where it shall be, as they are now.
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import type { DatabasePart, RestoreFacts, SnapshotFacts } from '../../../shared/gen/aegir/v1/backup.ts';
import { treesOf } from '../../../shared/vocabulary.ts';
import type { Place } from '../../plan/plan.ts';
import type { Outcome, StepContext, StepHandler } from '../handler.ts';
import { dropSnapshot, dropSnapshots, MOST_ATTEMPTS, restoreSnapshot, takeSnapshot } from '../part-copy.ts';
import { type HandlerDeps, readParts, readService, refOf } from '../parts.ts';
import { dbSpec, type SiteParts, siteSpec, writerIn } from '../spec.ts';

/** Another round before visitors are held is not worth it when the last one had to bring no more. */
const LITTLE_BYTES = 4 * 1024 * 1024;

export async function databasePart(deps: HandlerDeps, siteId: string, place: Place | undefined): Promise<DatabasePart> {
  const parts = await readParts(deps, siteId, place, true);
  const service = parts.db?.service;
  if (service === undefined) throw new AegirError('internal', 'cannot copy a database: the site has none');
  return { service: await refOf(deps, service), db: dbSpec(parts, true), withoutPosition: true };
}

/** A place in the log is told only where one follows from it. */
function isFollowed(ctx: StepContext): boolean {
  const results = [...ctx.results.values()];
  return results.some(({ follows }) => follows === true) && !results.some(({ cannotFollow }) => cannotFollow === true);
}

/** Where its files are read and written: of a cluster on the head that takes writes, or one that stays and sees those of all. */
export function webServerOf(parts: SiteParts): string {
  const { http, front, servers, site } = parts;
  if (front === null) return http.serverId;
  const writer = writerIn(parts);
  if (writer !== null) return writer.server.id;
  const found = servers.find(({ leaving, sharedRoot }) => !leaving && sharedRoot !== null);
  if (found !== undefined) return found.server.id;
  throw new AegirError(
    'failed_precondition',
    `cannot reach the files of ${site.name}: no head of its cluster sees them`,
  );
}

/** True when the round before this one had little to bring: this one is left out. */
function isEnough(ctx: StepContext, kind: 'files' | 'database', round: number): boolean {
  const last = [...ctx.results.values()].findLast(
    (result) => result['copied'] === kind && result['round'] === round - 1,
  );
  return last !== undefined && Number(last['received']) <= LITTLE_BYTES;
}

/** No database follows: the leader cannot be followed (open: index of that step), or the follower cannot follow. */
export function isOff(ctx: StepContext, open: number): boolean {
  if (ctx.results.get(open)?.['follows'] !== true) return true;
  return [...ctx.results.values()].some((result) => result['cannotFollow'] === true);
}

function tell(ctx: StepContext, what: string, { bytes, readBytes }: SnapshotFacts, restore: RestoreFacts): void {
  const text = `${what}: ${byteSize(Number(bytes))}, read ${byteSize(Number(readBytes))}, sent ${byteSize(Number(restore.receivedBytes))}, wrote ${byteSize(Number(restore.writtenBytes))}`;
  ctx.emit({ $case: 'log', value: { level: 'info', text } });
}

export function createCopyFiles(deps: HandlerDeps): StepHandler<'copy.files'> {
  return {
    kind: 'copy.files',
    do: async ({ siteId, from, to, round, deadline, of = siteId }, ctx): Promise<Outcome> => {
      if (deadline === null && isEnough(ctx, 'files', round)) {
        return { is: 'done', result: { copied: 'files', round, received: 0, left: true } };
      }
      const [here, there] = [await readParts(deps, of, from), await readParts(deps, siteId, to)];
      const trees = treesOf(here.platform.app);
      const [source, target] = [webServerOf(here), webServerOf(there)];
      const snapshot = await takeSnapshot(deps, ctx, source, 'files', {
        site: siteSpec(here, source),
        part: { $case: 'files', value: { trees: [...trees], last: true } },
      });
      const restore = await restoreSnapshot(deps, ctx, snapshot, target, siteId, 'files', async (part) => ({
        $case: 'restoreFiles',
        value: { site: siteSpec(there, target), source: part, trees: [...trees], fetchOnly: false },
      }));
      await dropSnapshot(deps, ctx, 'do', source, of, 'files', ctx.attempt);
      tell(ctx, 'files', snapshot.facts, restore);
      const [bytes, received] = [Number(snapshot.facts.bytes), Number(restore.receivedBytes)];
      return { is: 'done', result: { copied: 'files', round, bytes, received } };
    },
    undo: async ({ siteId, from, of = siteId }, ctx) => {
      const source = webServerOf(await readParts(deps, of, from));
      await dropSnapshots(deps, ctx, 'undo', source, of, 'files', MOST_ATTEMPTS);
      return { is: 'done' };
    },
  };
}

export function createCopyDatabase(deps: HandlerDeps): StepHandler<'copy.database'> {
  return {
    kind: 'copy.database',
    do: async ({ siteId, from, to, round, deadline, unless, of = siteId }, ctx): Promise<Outcome> => {
      const follows = unless !== null && !isOff(ctx, unless);
      if (follows || (deadline === null && isEnough(ctx, 'database', round))) {
        return { is: 'done', result: { copied: 'database', round, received: 0, left: true } };
      }
      const comesAgain = deadline === null && of === siteId;
      const here = await readParts(deps, of, from);
      const [source, target] = [await readService(deps.store, from.db), await readService(deps.store, to.db)];
      const snapshot = await takeSnapshot(deps, ctx, source.serverId, 'database', {
        site: siteSpec(here, webServerOf(here)),
        part: {
          $case: 'database',
          value: { ...(await databasePart(deps, of, from)), withoutPosition: !isFollowed(ctx) },
        },
      });
      const restore = await restoreSnapshot(deps, ctx, snapshot, target.serverId, siteId, 'database', async (part) => ({
        $case: 'restoreDatabase',
        // Another round, or the last copy, brings what has changed since.
        value: { ...(await databasePart(deps, siteId, to)), source: part, again: comesAgain },
      }));
      await dropSnapshot(deps, ctx, 'do', source.serverId, of, 'database', ctx.attempt, of === siteId);
      tell(ctx, 'database', snapshot.facts, restore);
      const [bytes, received] = [Number(snapshot.facts.bytes), Number(restore.receivedBytes)];
      const { position } = snapshot.facts;
      return { is: 'done', result: { copied: 'database', round, bytes, received, position } };
    },
    undo: async ({ siteId, from, of = siteId }, ctx) => {
      const { serverId } = await readService(deps.store, from.db);
      await dropSnapshots(deps, ctx, 'undo', serverId, of, 'database', MOST_ATTEMPTS);
      return { is: 'done' };
    },
  };
}
