// The gates of this server's sites: made, told, found again after a start, and taken away.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { AegirError } from '../../shared/error.ts';
import type { GateFacts } from '../../shared/gen/aegir/v1/move.ts';
import type { Host } from '../host/host.ts';
import { createSerial } from '../host/serial.ts';
import { siteLayout } from '../host/site-layout.ts';
import { createGate, type Gate, type GateOrder, type GatePhase } from './gate.ts';
import type { GateState, KeptGate } from './gate-state.ts';

/** What a gate handed over has this long to end once it is closed: a large upload, a page that is open. */
const LAST_MS = 600_000;

export interface GateWish extends Omit<GateOrder, 'phase' | 'holdingSince'> {
  readonly siteId: string;
  /** System user of the web server. */
  readonly webUser: string;
  readonly phase: GatePhase | 'closed';
}

export interface GateDesk {
  /** May be repeated. The phase is in force, and outlives the agent, when it resolves. */
  set(wish: GateWish): Promise<GateFacts>;
}

export interface Gates extends GateDesk {
  /** Opens those that were there before. */
  start(): Promise<void>;
  /** They are there again at the next start. */
  stop(): Promise<void>;
}

interface Options {
  readonly host: Host;
  readonly state: GateState;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly now: () => number;
}

const CLOSED: GateFacts = {
  ...{ phase: 'closed', waiting: 0n, held: 0n, longestMillis: 0n, forwarded: 0n, refused: 0n, failed: 0n },
  ...{ lastAt: undefined, holdingSince: undefined },
};

export function createGates({ host, state, log, now }: Options): Gates {
  const open = new Map<string, { readonly gate: Gate; readonly kept: KeptGate }>();
  const closing = new Map<Gate, NodeJS.Timeout>();
  const serial = createSerial();

  const put = async (kept: KeptGate): Promise<Gate> => {
    const before = open.get(kept.siteId);
    if (before !== undefined && before.kept.webUser === kept.webUser) {
      before.gate.set(kept.order);
      open.set(kept.siteId, { gate: before.gate, kept });
      return before.gate;
    }
    const layout = siteLayout(host.paths, kept.siteId);
    const gate = createGate({
      socket: layout.gate,
      owner: await ownerOf(kept.webUser),
      certificates: () => readCertificates(layout.tls),
      now,
    });
    await gate.open(kept.order);
    if (before !== undefined) end(before.gate);
    open.set(kept.siteId, { gate, kept });
    return gate;
  };

  const ownerOf = async (name: string) => {
    if (process.getuid?.() !== 0) return undefined;
    const user = await host.users.lookup(name);
    if (user !== undefined) return { uid: user.uid, gid: user.gid };
    throw new AegirError('failed_precondition', `cannot open a gate: user ${name} of the web server does not exist`);
  };

  const readCertificates = async (directory: string): Promise<readonly string[]> => {
    const names = (await host.files.list(directory)).filter((name) => name.endsWith('.crt'));
    return Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  };

  /** What it handed over goes on for a while. */
  const end = (gate: Gate) => {
    const last = setTimeout(() => {
      closing.delete(gate);
      gate.cut();
    }, LAST_MS);
    last.unref();
    closing.set(gate, last);
  };

  const save = () => state.save([...open.values()].map(({ kept }) => kept));

  return {
    set: ({ siteId, webUser, phase, upstream, maxHeld, maxHoldMillis }) =>
      serial(async () => {
        const before = open.get(siteId);
        if (phase === 'closed') {
          if (before === undefined) return CLOSED;
          await before.gate.close();
          end(before.gate);
          open.delete(siteId);
          await save();
          return { ...before.gate.facts(), phase, holdingSince: undefined };
        }
        // The time to hold begins once, however often it is asked for.
        const since = before?.kept.order.phase === 'hold' ? before.kept.order.holdingSince : undefined;
        const holdingSince = phase === 'hold' ? (since ?? now()) : undefined;
        const order: GateOrder = { phase, upstream, maxHeld, maxHoldMillis, holdingSince };
        const gate = await put({ siteId, webUser, order });
        await save();
        return gate.facts();
      }),

    async start() {
      for (const kept of await state.load()) {
        try {
          await put(kept);
          log.info({ site: kept.siteId, phase: kept.order.phase }, 'the gate of a site is there again');
        } catch (error) {
          log.warn({ site: kept.siteId, err: error }, 'cannot open the gate of a site again');
        }
      }
    },

    async stop() {
      for (const [gate, last] of closing) {
        clearTimeout(last);
        gate.cut();
      }
      // Not refused: nginx asks the next agent for what had no answer.
      for (const { gate } of open.values()) gate.cut();
    },
  };
}
