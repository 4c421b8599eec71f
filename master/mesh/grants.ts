// Grants: leave for two servers to transfer one object, signed by the mesh account's key, which agents learn over their
// sessions. Not stored: what a task may still need, it makes anew.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import { type Grant, GrantBody } from '../../shared/gen/aegir/v1/mesh.ts';
import { grantText } from '../../shared/grant.ts';
import type { KeyPair } from '../../shared/nkeys.ts';
import type { Store } from '../store/store.ts';

export interface GrantOrder {
  readonly senderId: string;
  readonly receiverId: string;
  /** See GrantBody in mesh.proto. */
  readonly kind: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly maxBytes: number;
  /** Default: no limit of its own. */
  readonly bytesPerSecond?: number;
  /** At most MAX_LIFE_MS, the default. */
  readonly lifeMs?: number;
}

/** Longer transfers get another one: see the step mesh.transfer. */
export const MAX_LIFE_MS = 3_600_000;

export interface GrantOptions {
  readonly key: KeyPair;
  readonly store: Pick<Store, 'servers'>;
  /** Of grants whose order says nothing; default MAX_LIFE_MS. */
  readonly lifeMs?: number | undefined;
  now(): number;
}

export function createGrants({ key, store, lifeMs, now }: GrantOptions) {
  return async (order: GrantOrder): Promise<Grant> => {
    for (const id of [order.senderId, order.receiverId]) {
      const server = await store.servers.get(id);
      if (server?.state === 'accepted') continue;
      const why = server === undefined ? 'it is not there' : `it is ${server.state}`;
      throw new AegirError('failed_precondition', `cannot let ${server?.name ?? id} take part in a transfer: ${why}`);
    }
    return signGrant(
      key,
      { ...(lifeMs === undefined ? {} : { lifeMs }), ...order, id: randomBytes(16).toString('hex') },
      now(),
    );
  };
}

/** The signing alone. */
export function signGrant(key: KeyPair, order: GrantOrder & { readonly id: string }, now: number): Grant {
  const life = Math.min(order.lifeMs ?? MAX_LIFE_MS, MAX_LIFE_MS);
  const body = GrantBody.encode({
    ...{ id: order.id, senderId: order.senderId, receiverId: order.receiverId, kind: order.kind, name: order.name },
    digest: order.digest,
    maxBytes: BigInt(order.maxBytes),
    expiresAt: new Date(now + life),
    bytesPerSecond: BigInt(order.bytesPerSecond ?? 0),
  }).finish();
  return { body, signature: key.sign(grantText(body)) };
}
