// Contexts for engines under test, and two ways to stop one in the middle: cancelled between changes as by a master, or
// dead at a given point as after a crash, when nothing more happens.
import type { Host } from '../../host/host.ts';
import { type ActionContext, type Change, runChanges } from '../engine.ts';

export function contextOf(
  host: Host,
  failpoint: (name: string) => void = () => {},
  signal?: AbortSignal,
): ActionContext {
  const nothing = (): void => {};
  const living = signal ?? new AbortController().signal;
  return { host, signal: living, failpoint, log: nothing, progress: nothing, message: nothing };
}

export function summaries(changes: readonly Change[]): readonly string[] {
  return changes.map(({ summary }) => summary);
}

/**
 * Runs what plan answers as an agent that dies when it reaches the nth failpoint: every later call to the host never
 * returns. Resolves with the point's name once dead, or undefined when all was done before.
 */
export async function dieAt(
  nth: number,
  host: Host,
  plan: (ctx: ActionContext) => Promise<readonly Change[]>,
): Promise<string | undefined> {
  let left = nth;
  let dead = false;
  const { promise: death, resolve: die } = Promise.withResolvers<string>();
  const failpoint = (name: string): void => {
    left -= 1;
    if (left !== 0) return;
    dead = true;
    die(name);
  };
  const ctx = contextOf(
    mortal(host, () => dead),
    failpoint,
  );
  // Also what asks no host, such as a request to a service, is not done by the dead.
  const changes = (await plan(ctx)).map((change) => ({
    ...change,
    run: (its: ActionContext) => (dead ? new Promise<void>(() => {}) : change.run(its)),
  }));
  const living = runChanges(changes, ctx).then(() => undefined);
  return Promise.race([death, living]);
}

/**
 * Dies at the first failpoint and each nth after it, from what arrange makes, and has made what it left each time, until all
 * is done before one. Answers the failpoint that it did not come to.
 */
export async function dieAtEach(
  nth: number,
  host: Host,
  arrange: () => Promise<unknown>,
  plan: (ctx: ActionContext) => Promise<readonly Change[]>,
  finish: () => Promise<void>,
): Promise<number> {
  for (let at = 1; ; at += nth) {
    await arrange();
    if ((await dieAt(at, host, plan)) === undefined) return at;
    await finish();
  }
}

/** A host whose methods, at any depth, never return once dead. */
function mortal<T extends object>(target: T, isDead: () => boolean): T {
  return new Proxy(target, {
    get(object, key) {
      const value: unknown = Reflect.get(object, key);
      if (typeof value === 'object' && value !== null) return mortal(value, isDead);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (isDead()) return new Promise(() => {});
        const result: unknown = Reflect.apply(value, object, args);
        if (!(result instanceof Promise)) return result;
        return result.then((answer: unknown) => {
          if (isDead()) return new Promise(() => {});
          return typeof answer === 'object' && answer !== null && 'reload' in answer ? mortal(answer, isDead) : answer;
        });
      };
    },
  });
}

/** Runs the changes and cancels right after the nth (from 0); false when there are not that many. */
export async function cancelAfter(
  nth: number,
  host: Host,
  plan: (ctx: ActionContext) => Promise<readonly Change[]>,
): Promise<boolean> {
  const abort = new AbortController();
  const ctx = contextOf(host, undefined, abort.signal);
  const changes = await plan(ctx);
  if (nth >= changes.length) return false;
  const stopping = changes.map((change, index) => ({
    ...change,
    run: async () => {
      await change.run(ctx);
      if (index === nth) abort.abort();
    },
  }));
  await runChanges(stopping, ctx).catch((thrown: unknown) => {
    if (!abort.signal.aborted) throw thrown;
  });
  return true;
}
