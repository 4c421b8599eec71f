// The sending side of an agent: opens a transfer for whoever shows a grant for it, and answers what it is asked then.
// Needs no order: the grant is the leave. Bounded in transfers, in bytes on their way, in what one grant can take.
import { AegirError, toAegirError } from '../../shared/error.ts';
import type { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import { type CheckedGrant, checkGrant } from './grant.ts';
import { bothLimits, createLimiter, type Limiter } from './limiter.ts';
import type { Link, Links } from './mesh.ts';
import type { Given, ObjectKind } from './objects.ts';
import { createOutbox } from './outbox.ts';
import { createRefusals } from './refusals.ts';
import { createSendSession, type SendSession } from './send-session.ts';
import { createSpent } from './spent.ts';
import { verifiedIndex } from './verified-index.ts';
import { type AskBody, decodeAsk, encodeData, encodeGive, failureOf, type GiveBody } from './wire.ts';

export interface SenderOptions {
  readonly me: string;
  readonly links: Links;
  readonly kinds: readonly ObjectKind[];
  readonly limiter: Limiter;
  readonly log: (level: 'debug' | 'info' | 'warn', text: string) => void;
  now(): number;
  /** Default 120 000. */
  readonly idleMs?: number;
  /** Default 2 000. */
  readonly stillMs?: number;
}

export interface Sender {
  /** Transfers that are open. */
  open(): number;
  /** Ends them all. */
  close(): Promise<void>;
}

const MAX_OPEN = 64;
const MAX_OPEN_OF_PEER = 8;

interface Entry {
  readonly peer: string;
  readonly transfer: string;
  grantId: string;
  session: SendSession | undefined;
  /** What ended it while it was being opened. */
  over: AegirError | undefined;
}

export function createSender(options: SenderOptions): Sender {
  const entries = new Map<string, Entry>();
  const spent = createSpent();
  const refusals = createRefusals(options);
  const unhear = new Set<() => void>();
  const serve = (link: Link) => {
    const outbox = createOutbox(link);
    const here = new Map<string, Entry>();
    const send = (peer: string, transfer: string, data: Uint8Array) =>
      outbox.send(data.length, () => link.send(peer, 'give', transfer, data));
    const tell = (peer: string, transfer: string, body: GiveBody) => send(peer, transfer, encodeGive(body));
    const fail = (peer: string, transfer: string, error: AegirError) =>
      void tell(peer, transfer, { $case: 'failed', value: failureOf(error) }).catch(() => {});

    const unheard = link.hear('*', 'ask', '*', (peer, transfer, data) => {
      const key = `${peer}/${transfer}`;
      const entry = here.get(key);
      // Before anything is made of it; who has a transfer open is heard in any case.
      if (entry === undefined && !refusals.hears(peer)) return;
      const body = decodeAsk(data);
      if (body === undefined) return;
      if (body.$case === 'open') {
        if (entry === undefined) admit(peer, transfer, body.value.grant);
        return;
      }
      if (entry === undefined) {
        if (body.$case === 'end') return;
        const over = new AegirError('unavailable', 'cannot send: this transfer is over');
        refusals.note(peer, over.message);
        return fail(peer, transfer, over);
      }
      hear(entry, body);
    });
    unhear.add(unheard);
    link.lost.addEventListener(
      'abort',
      () => {
        unheard();
        unhear.delete(unheard);
        for (const entry of here.values()) finish(entry, link.lost.reason as AegirError, false);
      },
      { once: true },
    );

    const admit = (peer: string, transfer: string, grant: Grant | undefined) => {
      const entry: Entry = { peer, transfer, grantId: '', session: undefined, over: undefined };
      const key = `${peer}/${transfer}`;
      let checked: CheckedGrant;
      try {
        checked = checkGrant(grant ?? { body: Buffer.alloc(0), signature: Buffer.alloc(0) }, {
          ...{ key: options.links.grantKey(), me: options.me, as: 'sender', peer, now: options.now() },
        });
        spent.open(checked, options.now());
        for (const other of [...entries.values()]) {
          // The receiver begins anew: what it had open before is of no use to it.
          if (other.grantId === checked.id) finish(other, new AegirError('aborted', 'cannot go on: begun anew'), false);
        }
        const ofPeer = [...entries.values()].filter((other) => other.peer === peer).length;
        if (entries.size >= MAX_OPEN || ofPeer >= MAX_OPEN_OF_PEER) {
          throw new AegirError('resource_exhausted', 'cannot send: too many transfers are open here; ask later', {
            retryable: true,
          });
        }
      } catch (thrown) {
        const error = toAegirError(thrown, 'open a transfer');
        refusals.note(peer, error.message);
        return fail(peer, transfer, error);
      }
      entry.grantId = checked.id;
      here.set(key, entry);
      entries.set(key, entry);
      // Opening may take a while (a large index); the receiver need not ask again.
      tell(peer, transfer, { $case: 'still', value: {} }).catch(() => {});
      void begin(entry, checked).catch((thrown: unknown) => {
        drop(entry);
        const error = toAegirError(thrown, `send ${checked.kind} ${checked.name}`);
        options.log('warn', `mesh: cannot open a transfer to ${peer}: ${error.message}`);
        fail(peer, transfer, error);
      });
    };

    const begin = async (entry: Entry, grant: CheckedGrant): Promise<void> => {
      const given = await openGiven(options.kinds, grant);
      if (entry.over !== undefined) return given.close();
      const { peer, transfer } = entry;
      const own = grant.bytesPerSecond === undefined ? undefined : createLimiter(grant.bytesPerSecond);
      const bytes = given.form === 'blob' ? given : given.bytes;
      const expiry = setTimeout(
        () =>
          entry.session?.end(new AegirError('deadline_exceeded', 'cannot send any more: the grant has expired'), true),
        Math.min(grant.expiresAt - options.now(), 2 ** 31 - 1),
      );
      entry.session = createSendSession({
        ...{ grant, given, idleMs: options.idleMs ?? 120_000, stillMs: options.stillMs ?? 2_000 },
        limiter: own === undefined ? options.limiter : bothLimits(options.limiter, own),
        give: (body) => tell(peer, transfer, body),
        data: (message) => send(peer, transfer, encodeData(message)),
        spend: (size) => spent.send(grant, size),
        onEnd: (error) => {
          clearTimeout(expiry);
          drop(entry);
          if (error === COMPLETE) spent.complete(grant);
          options.log('debug', `mesh: transfer of ${grant.kind} ${grant.name} to ${peer} ended: ${error.message}`);
        },
      });
      await tell(peer, transfer, { $case: 'opened', value: { form: given.form, size: BigInt(bytes.size) } });
    };

    const drop = (entry: Entry) => {
      const key = `${entry.peer}/${entry.transfer}`;
      if (here.get(key) === entry) here.delete(key);
      if (entries.get(key) === entry) entries.delete(key);
    };
    const finish = (entry: Entry, error: AegirError, told: boolean) => {
      entry.over = error;
      drop(entry);
      entry.session?.end(error, told);
    };
    const hear = (entry: Entry, body: Exclude<AskBody, { $case: 'open' }>) => {
      if (body.$case === 'end') return finish(entry, body.value.complete ? COMPLETE : STOPPED, false);
      if (entry.session === undefined) return finish(entry, STOPPED, false); // asked before it was opened
      entry.session.ask({ of: body.$case, value: body.value } as Parameters<SendSession['ask']>[0]);
    };
  };

  const stop = options.links.onLink((link) => serve(link));

  return {
    open: () => entries.size,
    async close() {
      stop();
      for (const unheard of unhear) unheard();
      const open = [...entries.values()];
      entries.clear();
      for (const { session } of open) session?.end(new AegirError('unavailable', 'cannot send: the agent stops'), true);
      await Promise.all(open.map(({ session }) => session?.ended));
    },
  };
}

const COMPLETE = new AegirError('cancelled', 'the receiver has all of it');
const STOPPED = new AegirError('cancelled', 'the receiver ended it');

async function openGiven(kinds: readonly ObjectKind[], grant: CheckedGrant): Promise<Given> {
  const kind = kinds.find((each) => each.kind === grant.kind);
  if (kind === undefined) {
    throw new AegirError('unimplemented', `cannot send ${grant.kind}: this agent does not know it; update the agent`);
  }
  const given = await kind.give(grant);
  if (given === undefined) throw new AegirError('not_found', `cannot send ${grant.kind} ${grant.name}: it is not here`);
  try {
    const size = given.form === 'blob' ? given.size : given.index.bytes;
    if (size > grant.maxBytes) {
      throw new AegirError(
        'permission_denied',
        `cannot send ${grant.kind} ${grant.name}: it has ${size} bytes and the grant is for ${grant.maxBytes}`,
      );
    }
    // Of a blob the receiver sees it at its end; chunks must be those of the granted index from the first on.
    if (given.form === 'chunks') await verifiedIndex(given.bytes, grant);
    return given;
  } catch (error) {
    await given.close();
    throw error;
  }
}
