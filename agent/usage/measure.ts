// How much sites take: their files and logs by du, niced and bounded; their databases by what the daemons know.
import { AegirError } from '../../shared/error.ts';
import { type ActionContext, canMeasure, type Engine } from '../engine/engine.ts';
import type { Host } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import type { Sizes } from './usage-table.ts';

/** A tree that takes longer is not measured. */
const LIMIT_MS = 10 * 60_000;
/** du neither follows links nor counts a file of two names twice. */
const DU = ['nice', '-n', '19', 'ionice', '-c', '3', 'du', '-s', '-P'] as const;

/** sharedRoot: where this server sees what all web servers of the site share, when it is to count that; else ''. */
export async function measureFiles(
  siteId: string,
  sharedRoot: string,
  host: Host,
  signal: AbortSignal,
): Promise<Sizes> {
  const { root, shared, logs } = siteLayout(host.paths, siteId, sharedRoot);
  const du = async (path: string, ...options: readonly string[]): Promise<number | undefined> => {
    if (!(await host.files.exists(path))) return undefined;
    const { stdout } = await host.run({
      argv: [...DU, ...options, '--', path],
      timeoutMs: LIMIT_MS,
      maxOutput: 4096,
      signal,
    });
    // What went away while it looked makes it end with 1, and its sum is good all the same.
    const sum = /^(\d+)\t/m.exec(stdout)?.[1];
    if (sum === undefined) throw new AegirError('internal', `cannot measure ${path}: du said nothing of it`);
    return Number(sum);
  };
  const both = async (option: string): Promise<number | undefined> => {
    const [own, common] = [await du(root, option), shared === '' ? undefined : await du(shared, option)];
    return common === undefined ? own : (own ?? 0) + common;
  };
  const fileBytes = await both('--block-size=1');
  const inodes = await both('--inodes');
  const logBytes = await du(logs, '--block-size=1');
  return {
    ...(fileBytes === undefined ? {} : { fileBytes }),
    ...(inodes === undefined ? {} : { inodes }),
    ...(logBytes === undefined ? {} : { logBytes }),
  };
}

/** Bytes of databases by site, of all daemons of this host; one that does not answer does not hide the others. */
export async function measureDatabases(
  engines: readonly Engine[],
  serverId: string,
  ctx: ActionContext,
): Promise<ReadonlyMap<string, number>> {
  const bytes = new Map<string, number>();
  for (const engine of engines) {
    if (!canMeasure(engine)) continue;
    for (const { version, instance, running } of await engine.detect(ctx.host)) {
      if (!running) continue;
      const { type, name } = engine;
      const service = { id: '', serverId, type, engine: name, version, instance, settings: {}, secrets: {} };
      try {
        for (const each of await engine.measure(service, ctx)) {
          bytes.set(each.siteId, (bytes.get(each.siteId) ?? 0) + each.bytes);
        }
      } catch (error) {
        ctx.signal.throwIfAborted();
        ctx.log('warn', `cannot measure the databases of ${name}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  return bytes;
}
