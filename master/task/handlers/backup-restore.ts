// The steps that bring a backup back: its database, its files, and the names that its app says.
import { byteSize } from '../../../shared/byte-size.ts';
import { AegirError } from '../../../shared/error.ts';
import type { PartSource, RestoreFacts } from '../../../shared/gen/aegir/v1/backup.ts';
import type { PartName, Safety } from '../../plan/backup-args.ts';
import type { ActionRequest } from '../../session/agents.ts';
import type { BackupPart, BackupRecord } from '../../store/model-backup.ts';
import type { StepContext, StepHandler } from '../handler.ts';
import { holdAgain, holdToUndo } from '../hold-again.ts';
import { PART_KIND, performWhole, told } from '../part-copy.ts';
import { type HandlerDeps, readParts, readServer, readService, refOf } from '../parts.ts';
import { perform } from '../perform.ts';
import { dbSpec, siteSpec } from '../spec.ts';
import { readBackup, storedFacts } from './backup-store.ts';
import { databasePart } from './copy.ts';

export function createDbEnsure(deps: HandlerDeps): StepHandler<'db.ensure'> {
  return {
    kind: 'db.ensure',
    do: async ({ serviceId, siteId }, ctx) => {
      const service = await readService(deps.store, serviceId);
      // Its content comes from a backup: that it is lost is no reason to stop.
      const value = dbSpec(await readParts(deps, siteId), false);
      const request: ActionRequest = {
        $case: 'apply',
        value: { service: await refOf(deps, service), preview: false, spec: { $case: 'db', value } },
      };
      await perform(deps, ctx, 'do', service.serverId, `site/${siteId}`, request);
      return { is: 'done' };
    },
    undo: { none: 'it only brings back what is declared' },
  };
}

export function createRestoreDatabase(deps: HandlerDeps): StepHandler<'restore.database'> {
  const bring = async (ctx: StepContext, direction: 'do' | 'undo', backup: Readable, siteId: string, to: string) => {
    const { serverId } = await readService(deps.store, to);
    return restorePart(deps, ctx, direction, backup, 'database', serverId, siteId, async (source) => ({
      $case: 'restoreDatabase',
      value: { ...(await databasePart(deps, siteId, undefined)), source, again: false },
    }));
  };
  return {
    kind: 'restore.database',
    do: async ({ siteId, serviceId, backupId }, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const facts = await bring(ctx, 'do', await readable(deps, backupId), siteId, serviceId);
      tell(ctx, `database: ${facts.entries} tables`, facts);
      return { is: 'done', result: asResult(facts) };
    },
    undo: async ({ siteId, serviceId, safety }, ctx) => {
      if (safety === null) return { is: 'done' };
      await holdToUndo(deps.store, ctx);
      await bring(ctx, 'undo', await kept(deps, ctx, safety), siteId, serviceId);
      return { is: 'done' };
    },
  };
}

export function createRestoreFiles(deps: HandlerDeps): StepHandler<'restore.files'> {
  const bring = async (
    ctx: StepContext,
    direction: 'do' | 'undo',
    backup: Readable,
    { siteId, serverId, trees }: { siteId: string; serverId: string; trees: readonly string[] },
  ) => {
    const site = siteSpec(await readParts(deps, siteId), serverId);
    return restorePart(deps, ctx, direction, backup, 'files', serverId, siteId, async (source) => ({
      $case: 'restoreFiles',
      value: { site, source, trees: [...trees], fetchOnly: false },
    }));
  };
  return {
    kind: 'restore.files',
    do: async (args, ctx) => {
      const waits = await holdAgain(deps.store, ctx);
      if (waits !== undefined) return waits;
      const facts = await bring(ctx, 'do', await readable(deps, args.backupId), args);
      tell(ctx, `files: ${facts.written} of ${facts.entries} written`, facts);
      return { is: 'done', result: asResult(facts) };
    },
    undo: async (args, ctx) => {
      if (args.safety === null) return { is: 'done' };
      await holdToUndo(deps.store, ctx);
      await bring(ctx, 'undo', await kept(deps, ctx, args.safety), args);
      return { is: 'done' };
    },
  };
}

export function createSiteRewrite(deps: HandlerDeps): StepHandler<'site.rewrite'> {
  return {
    kind: 'site.rewrite',
    do: async ({ siteId, serverId, oldUrl, oldNames, oldSiteId }, ctx) => {
      const site = siteSpec(await readParts(deps, siteId), serverId);
      const value = { site, oldUrl, oldNames: [...oldNames], oldSiteId };
      await perform(deps, ctx, 'do', serverId, `site/${siteId}`, { $case: 'rewriteSite', value });
      return { is: 'done' };
    },
    undo: { none: 'the copy goes with the steps before' },
  };
}

/** What is needed to read a backup. */
type Readable = Pick<BackupRecord, 'id' | 'serviceId' | 'parts'>;

async function readable(deps: HandlerDeps, id: string): Promise<Readable> {
  const backup = await readBackup(deps, id);
  if (backup.state === 'ready') return backup;
  throw new AegirError('failed_precondition', `cannot restore backup ${id}: it is ${backup.state}`);
}

/** The one that was made before; its record may say by now that it is not whole, since that is being undone. */
async function kept(deps: HandlerDeps, ctx: StepContext, { backupId, store }: Safety): Promise<Readable> {
  const { id, serviceId } = await readBackup(deps, backupId);
  return { id, serviceId, parts: storedFacts(ctx.results.get(store)).parts };
}

async function restorePart(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  { id, serviceId, parts }: Readable,
  name: PartName,
  receiverId: string,
  siteId: string,
  request: (source: PartSource) => Promise<ActionRequest>,
): Promise<RestoreFacts> {
  const part = parts.find((each) => each.part === name);
  if (part === undefined) throw new AegirError('failed_precondition', `cannot restore backup ${id}: it has no ${name}`);
  const service = await readService(deps.store, serviceId);
  const offer: ActionRequest = {
    $case: 'offerPart',
    value: { service: await refOf(deps, service), backupId: id, part: factsOf(part) },
  };
  let round = 0;
  const output = await performWhole(
    deps,
    ctx,
    direction,
    receiverId,
    `site/${siteId}`,
    async () => {
      round += 1;
      // An offer ends with the agent that made it: it is renewed with each grant.
      await perform(deps, ctx, direction, service.serverId, `backup/${id}`, offer, `offer${round}`);
      return request(await partSource(deps, id, service.id, service.serverId, part, receiverId));
    },
    ({ restore }) => told(restore, 'a restore'),
    'restore',
  );
  return told(output.restore, 'a restore');
}

async function partSource(
  deps: HandlerDeps,
  backupId: string,
  serviceId: string,
  senderId: string,
  part: BackupPart,
  receiverId: string,
): Promise<PartSource> {
  if (deps.grant === undefined) {
    throw new AegirError(
      'failed_precondition',
      'cannot read a backup: this master has no mesh; set listen.mesh in its configuration',
    );
  }
  const name = `backup/${serviceId}/${backupId}/${part.part}`;
  const digest = Buffer.from(part.digest, 'hex');
  const grant = await deps.grant({ senderId, receiverId, kind: PART_KIND, name, digest, maxBytes: part.bytes });
  return { part: part.part, grant, senderName: (await readServer(deps.store, senderId)).name };
}

function factsOf({ part, digest, firstChunk, chunks, bytes }: BackupPart) {
  return {
    ...{ part, digest: Buffer.from(digest, 'hex'), firstChunk: BigInt(firstChunk) },
    ...{ chunks: BigInt(chunks), bytes: BigInt(bytes) },
  };
}

function tell(ctx: StepContext, what: string, { receivedBytes, writtenBytes }: RestoreFacts): void {
  const text = `${what}; ${byteSize(Number(writtenBytes))} written, ${byteSize(Number(receivedBytes))} came over the mesh`;
  ctx.emit({ $case: 'log', value: { level: 'info', text } });
}

function asResult({ entries, written, writtenBytes, receivedBytes }: RestoreFacts) {
  return {
    ...{ entries: Number(entries), written: Number(written) },
    ...{ writtenBytes: Number(writtenBytes), receivedBytes: Number(receivedBytes) },
  };
}
