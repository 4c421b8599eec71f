// Transfers of one agent: what it serves by itself, and what it fetches when it is told to.
import { AegirError } from '../../shared/error.ts';
import type { TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import { type CheckedGrant, checkGrant } from './grant.ts';
import { createLimiter } from './limiter.ts';
import { createLoopback } from './loopback.ts';
import type { Links } from './mesh.ts';
import type { ObjectKind, Taken } from './objects.ts';
import { type ReceiveOptions, receive } from './receiver.ts';
import { createSender } from './sender.ts';

export interface FetchOptions extends ReceiveOptions {
  /** Where it goes; without it, where its kind keeps what was received. */
  readonly into?: (grant: CheckedGrant) => Promise<Taken>;
}

export interface Transfers {
  /**
   * Fetches what the grant names; from this server itself when it is the sender, too. Throws AegirError; what came until
   * then stays for the next time.
   */
  receive(grant: Grant, options: FetchOptions): Promise<TransferFacts>;
  /** Ends what is being sent. */
  close(): Promise<void>;
}

export interface TransfersOptions {
  /** Id of the server that this agent is of. */
  readonly me: string;
  readonly links: Links;
  readonly kinds: readonly ObjectKind[];
  /** In each direction, of all transfers together; undefined for no limit. */
  readonly bytesPerSecond: number | undefined;
  readonly log: (level: 'debug' | 'info' | 'warn', text: string) => void;
  now(): number;
}

export function createTransfers(options: TransfersOptions): Transfers {
  const { me, links, kinds, now, log } = options;
  const sender = createSender({ me, links, kinds, now, log, limiter: createLimiter(options.bytesPerSecond) });
  const limiter = createLimiter(options.bytesPerSecond);
  // Nothing of it is on any wire: no limit.
  const within = createLoopback(me, () => links.grantKey());
  const free = createLimiter(undefined);
  const own = createSender({ me, links: within, kinds, now, log, limiter: free });
  return {
    async receive(grant, { into, ...receiveOptions }) {
      const checked = checkGrant(grant, { key: links.grantKey(), me, as: 'receiver', now: now() });
      const kind = kinds.find((each) => each.kind === checked.kind);
      if (kind === undefined) {
        throw new AegirError(
          'unimplemented',
          `cannot receive ${checked.kind}: this agent does not know it; update the agent`,
        );
      }
      const taken = await (into ?? kind.take)(checked);
      const { patienceMs } = kind;
      const patience = patienceMs === undefined ? {} : { patienceMs };
      const way = checked.senderId === me ? { links: within, limiter: free } : { links, limiter };
      return receive({ ...way, now, log, ...patience }, checked, taken, receiveOptions);
    },
    close: async () => void (await Promise.all([sender.close(), own.close()])),
  };
}
