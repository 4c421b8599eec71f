// set-gate: what becomes of the requests for a site whose virtual host is held.
import { AegirError } from '../../shared/error.ts';
import { counted } from '../../shared/words.ts';
import type { Room } from '../host/host.ts';
import { type ActionHandler, engineFor } from './action.ts';

/**
 * Apache keeps a thread for each request that is held, of 150 in Debian: with none left its other sites stand still, and it
 * could not even tell that it has read a new configuration.
 */
const MOST_BY_APACHE = 100;

export function createSetGate(): ActionHandler<'setGate'> {
  return {
    kind: 'setGate',
    label: ({ phase }) => `set-gate-${phase}`,
    async run({ service, ...wish }, ctx, tools) {
      const { daemon: name } = engineFor(tools, service);
      const daemon = name === undefined ? undefined : await ctx.host.daemon(name);
      // To close one, nobody has to be there.
      if (wish.phase !== 'closed' && (daemon === undefined || service.engine === 'cluster')) {
        throw new AegirError(
          'failed_precondition',
          `cannot open a gate: this server has no ${service.engine} that passes requests on to it`,
        );
      }
      const room = service.engine === 'apache' ? { requests: MOST_BY_APACHE } : await daemon?.room?.();
      if (wish.phase === 'hold') mayHold(room, wish.maxHoldMillis);
      const maxHeld = Math.min(wish.maxHeld, room?.requests ?? wish.maxHeld);
      const gate = await tools.gates.set({ ...wish, maxHeld, webUser: daemon?.user ?? '' });
      ctx.log(
        'info',
        `the gate is in phase ${gate.phase}: ${counted(gate.waiting, 'request')} waiting, ${gate.forwarded} went on`,
      );
      return { changes: [], gate };
    },
  };
}

/** Each site's change reloads the web server, the site's own end of the hold first of all. */
function mayHold(room: Room | undefined, millis: number): void {
  const ends = room?.ends;
  if (ends === undefined || ends.afterMs >= millis) return;
  throw new AegirError(
    'failed_precondition',
    `cannot hold visitors for up to ${millis / 1000} s: the web server ends what waits ${ends.afterMs / 1000} s after a ` +
      `reload, without an answer (${ends.by}); take ${ends.by} out of its configuration or raise it, or move with ` +
      `--max-hold ${Math.max(1, Math.floor(ends.afterMs / 1000))}s`,
  );
}
