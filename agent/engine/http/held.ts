// What holding a site, or taking it off the web, asks of a server besides its virtual host: that there is a gate before
// requests are led to it, and that nothing of the site runs here once it is done.
//
// A web server that reloads lets its old workers end what they have begun, so requests still reach the site's pool for a
// while. Each of them has a connection to the pool's socket, which the kernel lists (/proc/net/unix). The pool stays until
// none is left, at most QUIET_MS; then it goes, and PHP-FPM ends what still runs there. The pool of a disabled site stays,
// empty and reached by nobody: so one that is prepared for a move has been tried. What else runs as the site's user is ended
// then: what its code started may have left the pool, and would write to the site while it is copied or restored. Before
// that its account is closed, or cron and at would start more of it. Found again whenever the site is looked at.
import { readFile } from 'node:fs/promises';
import { AegirError } from '../../../shared/error.ts';
import { counted } from '../../../shared/words.ts';
import type { Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import { waitUntil } from '../../host/wait.ts';
import type { ActionContext, Change, HttpSiteSpec } from '../engine.ts';
import { isForwarded } from './forwarding.ts';
import type { FpmPools } from './fpm/pools.ts';
import { planClosing, planOpening } from './site-account.ts';

const QUIET_MS = 30_000;
/** Old workers pass on what they have read of a request within this. */
const LOOKS_QUIET = 5;
const EVERY_MS = 50;

/** For people. */
export function inState(state: string): string {
  const words: Readonly<Record<string, string>> = {
    disabled: ' (disabled: it answers 503)',
    held: ' (held: its gate takes every request)',
    moved: ' (moved: every request goes on to its new server)',
  };
  return words[state] ?? '';
}

/** The changes of a virtual host that leads to the gate: refused while there is none. */
export function behindGate(changes: readonly Change[], spec: HttpSiteSpec, layout: SiteLayout): readonly Change[] {
  const leads = spec.state === 'held' || (spec.frontsOnly && spec.othersHeld);
  if (!leads) return changes;
  return changes.map((change) => ({
    summary: change.summary,
    async run(ctx) {
      if (!(await ctx.host.files.exists(layout.gate))) {
        throw new AegirError(
          'failed_precondition',
          `cannot hold ${spec.name}: it has no gate on this server, and visitors would get an error; open one first`,
        );
      }
      await change.run(ctx);
    },
  }));
}

/**
 * Once the web server leads nobody to the pool any more (changes do so): what runs is ended, and nothing starts. Of a site
 * that is served here the user is free to start what it likes. Our own cron must have stopped.
 */
export async function planQuiet(
  spec: HttpSiteSpec,
  layout: SiteLayout,
  pools: FpmPools,
  changes: readonly Change[],
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const away = isForwarded(spec.state);
  if (!away && spec.state !== 'disabled') return planOpening(spec.name, layout.user, ctx.host);
  const closing = await planClosing(spec.name, layout.user, ctx.host);
  const going = away ? await pools.remove(spec.siteId, spec.name, ctx) : [];
  const stops =
    going.length > 0 || closing.length > 0 || (changes.length > 0 && (await ctx.host.files.exists(layout.socket)));
  const ending = await planEnd(spec.name, layout.user, stops, ctx.host);
  if (going.length === 0 && ending.length === 0) return closing;
  const waits = {
    summary: `wait until no request of ${spec.name} runs here, at most ${QUIET_MS / 1000} s`,
    run: (its: ActionContext) => waitForQuiet(spec.name, layout.socket, its),
  };
  return [...closing, waits, ...(away ? going : await pools.empty(spec.siteId, spec.name, ctx)), ...ending];
}

/** stops: it may have run until now, and start something until it has stopped. */
async function planEnd(name: string, user: string, stops: boolean, host: Host): Promise<readonly Change[]> {
  const { processes } = host.users;
  if (processes === undefined) return [];
  if (!stops && (await processes.running(user)) === 0) return [];
  return [{ summary: `end all processes of the user of ${name}`, run: () => processes.end(user) }];
}

async function waitForQuiet(name: string, socket: string, ctx: ActionContext): Promise<void> {
  let quiet = 0;
  const isQuiet = async (): Promise<boolean> => {
    ctx.signal.throwIfAborted();
    quiet = (await connectionsTo(socket)) === 0 ? quiet + 1 : 0;
    return quiet >= LOOKS_QUIET;
  };
  if (await waitUntil(isQuiet, QUIET_MS, EVERY_MS)) return;
  const left = await connectionsTo(socket);
  ctx.log(
    'warn',
    `still running after ${QUIET_MS / 1000} s and ended with its pool: ${counted(left, 'request')} of ${name}`,
  );
}

/** Requests that PHP-FPM has, or that wait for it. */
async function connectionsTo(socket: string): Promise<number> {
  return countConnections(await readFile('/proc/net/unix', 'utf8'), socket);
}

/** Connected ends of a socket in /proc/net/unix (state 03), and those that nobody has accepted yet (02). Pure. */
export function countConnections(table: string, socket: string): number {
  return table.split('\n').filter((row) => {
    const [, state, path] =
      /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ (0[0-9A-F]) +[0-9]+ (.*)$/.exec(row) ?? [];
    return path === socket && (state === '02' || state === '03');
  }).length;
}
