// The agent's check of a grant: signature, peers, end, and that every field is formed. Both ends call it.
import { AegirError } from '../../shared/error.ts';
import { type Grant, GrantBody } from '../../shared/gen/aegir/v1/mesh.ts';
import { grantText } from '../../shared/grant.ts';
import { isId } from '../../shared/id.ts';
import { fromPublic } from '../../shared/nkeys.ts';

export interface CheckedGrant {
  /** As it was signed, to show it to the peer. */
  readonly signed: Grant;
  readonly id: string;
  readonly senderId: string;
  readonly receiverId: string;
  readonly kind: string;
  readonly name: string;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly maxBytes: number;
  /** ms since 1970. */
  readonly expiresAt: number;
  /** undefined for no limit of its own. */
  readonly bytesPerSecond: number | undefined;
}

export interface GrantView {
  /** Public nkey of who signs grants; empty when no master named it yet. */
  readonly key: string;
  /** Who looks: must be the grant's sender or receiver. */
  readonly me: string;
  readonly as: 'sender' | 'receiver';
  /** Who shows it, where somebody does: must be the other one. */
  readonly peer?: string;
  /** ms since 1970. */
  readonly now: number;
}

const MAX_BODY = 4096;

export function checkGrant(grant: Grant, view: GrantView): CheckedGrant {
  if (view.key === '') {
    throw new AegirError('unavailable', 'cannot check the grant: no master has named the key of grants yet');
  }
  if (grant.body.length === 0 || grant.body.length > MAX_BODY) refuse('it is no grant');
  if (!isSigned(grant, view.key)) refuse('it is not signed by this master, or was altered');
  const body = decode(grant.body);
  const { senderId, receiverId, kind, name } = body;
  if (!isId('srv', senderId) || !isId('srv', receiverId)) refuse('it names no servers');
  if ((view.as === 'sender' ? senderId : receiverId) !== view.me) refuse(`it names another ${view.as}`);
  const other = view.as === 'sender' ? receiverId : senderId;
  if (view.peer !== undefined && view.peer !== other) refuse('it is for another server than the one that shows it');
  const expiresAt = body.expiresAt?.getTime() ?? Number.NaN;
  if (!(expiresAt > view.now)) {
    throw new AegirError(
      'deadline_exceeded',
      "cannot use the grant: it has expired; ask for another one, and compare the servers' clocks if it is new",
    );
  }
  if (!/^[0-9a-f]{32}$/.test(body.id)) refuse('it has no id');
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(kind)) refuse('it names no kind of object');
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/.test(name) || /(^|\/)\.{1,2}(\/|$)/.test(name))
    refuse('it names no object');
  if (body.digest.length !== 32) refuse('it has no digest');
  const [maxBytes, rate] = [Number(body.maxBytes), Number(body.bytesPerSecond)];
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1 || !Number.isSafeInteger(rate))
    refuse('its sizes are out of range');
  return {
    ...{ signed: grant, id: body.id, senderId, receiverId, kind, name, maxBytes, expiresAt },
    digest: Buffer.from(body.digest).toString('hex'),
    bytesPerSecond: rate === 0 ? undefined : rate,
  };
}

/** Digest that a grant names, without a check: to compare with, never to act on. Throws permission_denied for what is none. */
export function grantedDigest({ body }: Grant): Uint8Array {
  return decode(body).digest;
}

function refuse(why: string): never {
  throw new AegirError('permission_denied', `cannot use the grant: ${why}`);
}

function isSigned({ body, signature }: Grant, key: string): boolean {
  try {
    return signature.length === 64 && fromPublic(key).verify(grantText(body), signature);
  } catch {
    // What is no signature, or no key, signs nothing.
    return false;
  }
}

function decode(body: Uint8Array): GrantBody {
  try {
    return GrantBody.decode(body);
  } catch {
    return refuse('it cannot be read');
  }
}
