// The steps by which a database at the new place follows the old one, so that the last copy is as short as its lag: by an
// account among the servers, or by parts of what changed. Where it cannot be followed, the steps say so and are left out: a
// last copy is made instead.
import { AegirError } from '../../../shared/error.ts';
import type { ReplicaFacts } from '../../../shared/gen/aegir/v1/move.ts';
import { DB_ENGINES } from '../../../shared/vocabulary.ts';
import type { Place } from '../../plan/plan.ts';
import { bringChanges, dropChanges } from '../changes.ts';
import type { Outcome, StepContext, StepHandler } from '../handler.ts';
import { told } from '../part-copy.ts';
import { type HandlerDeps, openSecret, readParts, readServer, readService } from '../parts.ts';
import { perform, previewOn } from '../perform.ts';
import { siteSpec } from '../spec.ts';
import { databasePart, isOff, webServerOf } from './copy.ts';

const LOOK_AGAIN_MS = 200;
/** It cannot be followed, or its agent is of a time before there was any of it. */
const CANNOT: ReadonlySet<string> = new Set(['failed_precondition', 'unimplemented', 'invalid_argument']);
const FOLLOWED =
  'the database followed: what was written while it was copied came by its log, and no last copy was made';

type Args = {
  readonly siteId: string;
  readonly from: Place;
  readonly to: Place;
  readonly passwordSecret: string | null;
};

async function openRequest(deps: HandlerDeps, { siteId, from, to, passwordSecret }: Args, preview: boolean) {
  // By parts nobody gets an account.
  const account =
    passwordSecret === null
      ? { followerAddresses: [], password: '' }
      : { followerAddresses: await addressesOf(deps, to), password: await openSecret(deps, passwordSecret) };
  return {
    $case: 'openReplica' as const,
    value: { ...(await databasePart(deps, siteId, from)), ...account, preview },
  };
}

async function addressesOf(deps: HandlerDeps, place: Place): Promise<string[]> {
  const { serverId } = await readService(deps.store, place.db);
  return [...new Set((await readServer(deps.store, serverId)).facts.sourceAddresses)];
}

/** Answers up to where the new place has what changed. */
async function bring(deps: HandlerDeps, ctx: StepContext, { siteId, from, to }: Args): Promise<string> {
  const here = await readParts(deps, siteId, from);
  const results = [...ctx.results.values()];
  const dumped = positionOf(results);
  const since = results.findLast((result) => result['broughtTo'] !== undefined)?.['broughtTo'] ?? dumped;
  const end = async (place: Place) => ({
    serverId: (await readService(deps.store, place.db)).serverId,
    part: await databasePart(deps, siteId, place),
  });
  const ends = { site: siteSpec(here, webServerOf(here)), source: await end(from), target: await end(to) };
  return bringChanges(deps, ctx, ends, dumped, String(since));
}

/** Of the copy that was made; a round that was left out has none. */
function positionOf(results: readonly Readonly<Record<string, unknown>>[]): string {
  const copied = results.findLast((result) => result['copied'] === 'database' && result['position'] !== undefined);
  return String(copied?.['position'] ?? '');
}

async function follow(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  { siteId, from, to, passwordSecret }: Args,
  verb: 'start' | 'status' | 'stop',
  position: string,
  part: string,
): Promise<ReplicaFacts> {
  const account =
    passwordSecret === null
      ? { address: '', port: 0, password: '' }
      : { ...(await leaderAt(deps, from)), password: await openSecret(deps, passwordSecret) };
  const { serverId } = await readService(deps.store, to.db);
  const { output } = await perform(
    deps,
    ctx,
    direction,
    serverId,
    `site/${siteId}`,
    {
      $case: 'follow',
      value: { ...(await databasePart(deps, siteId, to)), ...account, verb, position },
    },
    part,
  );
  return told(output.replica, 'a replication');
}

export function createReplicaOpen(deps: HandlerDeps): StepHandler<'replica.open'> {
  return {
    kind: 'replica.open',
    do: async (args, ctx) => {
      const { serverId } = await readService(deps.store, args.from.db);
      try {
        const site = `site/${args.siteId}`;
        await perform(deps, ctx, 'do', serverId, site, await openRequest(deps, args, false));
      } catch (thrown) {
        const error = thrown instanceof AegirError ? thrown : undefined;
        if (error === undefined || !CANNOT.has(error.code)) throw thrown;
        const text = `the database cannot be followed, so visitors wait for a last copy of it: ${error.message}`;
        ctx.emit({ $case: 'log', value: { level: 'warn', text } });
        return { is: 'done', result: { follows: false, why: error.message } };
      }
      return { is: 'done', result: { follows: true, why: '' } };
    },
    undo: async ({ siteId, from, passwordSecret }, ctx) => {
      if (passwordSecret === null || ctx.result?.['follows'] === false) return { is: 'done' };
      await close(deps, ctx, 'undo', siteId, from).catch((thrown: unknown) => {
        if (!(thrown instanceof AegirError && CANNOT.has(thrown.code))) throw thrown;
      });
      return { is: 'done' };
    },
    preview: async (args) => {
      const { serverId } = await readService(deps.store, args.from.db);
      return previewOn(deps, serverId, await openRequest(deps, args, true));
    },
  };
}

export function createReplicaFollow(deps: HandlerDeps): StepHandler<'replica.follow'> {
  return {
    kind: 'replica.follow',
    do: async (args, ctx) => {
      if (isOff(ctx, args.open)) return { is: 'done' };
      try {
        if (args.passwordSecret === null) return { is: 'done', result: { broughtTo: await bring(deps, ctx, args) } };
        await follow(deps, ctx, 'do', args, 'start', positionOf([...ctx.results.values()]), 'start');
      } catch (thrown) {
        if (!(thrown instanceof AegirError && CANNOT.has(thrown.code))) throw thrown;
        return leave(deps, ctx, args, thrown.message);
      }
      return { is: 'done' };
    },
    undo: async (args, ctx) => {
      if (isOff(ctx, args.open)) return { is: 'done' };
      await dropBrought(deps, ctx, 'undo', args);
      await follow(deps, ctx, 'undo', args, 'stop', '', 'stop');
      return { is: 'done' };
    },
  };
}

/** Nothing of it stays on either side: what one keeps for the other grows, and a last copy is of the database as it was. */
async function leave(deps: HandlerDeps, ctx: StepContext, args: Args, why: string): Promise<Outcome> {
  const text = `the database cannot follow, so visitors wait for a last copy of it: ${why}`;
  ctx.emit({ $case: 'log', value: { level: 'warn', text } });
  await follow(deps, ctx, 'do', args, 'stop', '', 'stop');
  if (args.passwordSecret !== null) await close(deps, ctx, 'do', args.siteId, args.from);
  await dropBrought(deps, ctx, 'do', args);
  return { is: 'done', result: { cannotFollow: true } };
}

/** Nobody writes at the old place any more: its end stands still. */
export function createReplicaFinish(deps: HandlerDeps): StepHandler<'replica.finish'> {
  return {
    kind: 'replica.finish',
    do: async (args, ctx) => {
      if (isOff(ctx, args.open)) return { is: 'done' };
      try {
        if (args.passwordSecret === null) await bring(deps, ctx, args);
        else await catchUp(deps, ctx, args);
      } catch (thrown) {
        // Something was done to it meanwhile that does not travel.
        if (!(thrown instanceof AegirError && CANNOT.has(thrown.code))) throw thrown;
        return leave(deps, ctx, args, thrown.message);
      }
      await follow(deps, ctx, 'do', args, 'stop', '', 'stop');
      const value = { kind: 'note', text: FOLLOWED, value: '', expiresAt: undefined };
      ctx.emit({ $case: 'message', value });
      return { is: 'done', result: { followed: true } };
    },
    // The step that began to follow ends it.
    undo: async (args, ctx) => {
      await dropBrought(deps, ctx, 'undo', args);
      return { is: 'done' };
    },
  };
}

/** Among the servers. Throws failed_precondition when it has stopped. */
async function catchUp(deps: HandlerDeps, ctx: StepContext, args: Args): Promise<void> {
  const { serverId } = await readService(deps.store, args.from.db);
  const site = `site/${args.siteId}`;
  const opened = await perform(deps, ctx, 'do', serverId, site, await openRequest(deps, args, false), 'end');
  const { position } = told(opened.output.replica, 'a replication');
  for (let look = 1; ; look++) {
    const { running, caughtUp, error } = await follow(deps, ctx, 'do', args, 'status', position, `look${look}`);
    if (caughtUp) return;
    if (!running) throw new AegirError('failed_precondition', error);
    ctx.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** What a step that did not end may have kept for the new place. */
async function dropBrought(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  { siteId, from, passwordSecret }: Args,
): Promise<void> {
  if (passwordSecret !== null || ctx.result !== null) return;
  const { serverId } = await readService(deps.store, from.db);
  await dropChanges(deps, ctx, direction, serverId, siteId);
}

/** Where the follower dials it. */
async function leaderAt(deps: HandlerDeps, place: Place): Promise<{ readonly address: string; readonly port: number }> {
  const { serverId, detected, engine } = await readService(deps.store, place.db);
  const [address = ''] = (await readServer(deps.store, serverId)).facts.addresses;
  return { address, port: detected.ports[0] ?? DB_ENGINES[engine]?.port ?? 0 };
}

async function close(
  deps: HandlerDeps,
  ctx: StepContext,
  direction: 'do' | 'undo',
  siteId: string,
  from: Place,
): Promise<void> {
  const { serverId } = await readService(deps.store, from.db);
  await perform(deps, ctx, direction, serverId, `site/${siteId}`, {
    $case: 'closeReplica',
    value: await databasePart(deps, siteId, from),
  });
}

export function createReplicaClose(deps: HandlerDeps): StepHandler<'replica.close'> {
  return {
    kind: 'replica.close',
    do: async ({ siteId, from, open }, ctx) => {
      if (isOff(ctx, open)) return { is: 'done' };
      await close(deps, ctx, 'do', siteId, from);
      return { is: 'done' };
    },
    undo: { none: 'nobody follows it any more' },
  };
}
