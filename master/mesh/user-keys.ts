// Which server has which keys on the mesh, from before it gets leave for one: a key is one server's for ever, so that nobody
// can have another's revoked, and whoever revokes a server finds all that it may still connect with.
import { AegirError } from '../../shared/error.ts';
import type { Store } from '../store/store.ts';

const PREFIX = 'mesh.key.';
/** An agent makes another only when it lost the one it had. Each that is revoked stays in the claims of the account. */
export const MOST_KEYS = 16;

/**
 * Durable when it resolves; repeatable. Throws permission_denied for a server that is not accepted, failed_precondition for
 * a key that is another's and for a server that had too many.
 */
export async function holdUserKey(store: Store, serverId: string, userKey: string): Promise<void> {
  const id = `${PREFIX}${userKey}`;
  // A revocation finds it already.
  if ((await store.settings.get(id))?.value === serverId) return;
  await store.transaction(async (tx) => {
    // In the transaction: a revocation comes before, and is seen here, or after, and sees the key.
    const server = await tx.servers.get(serverId);
    if (server?.state !== 'accepted') refuse('permission_denied', `the server is ${server?.state ?? 'not there'}`);
    const held = await tx.settings.get(id);
    if (held?.value === serverId) return;
    const another = "let the agent make another: stop it, remove its state directory's mesh-*.seed, start it";
    if (held !== undefined) refuse('failed_precondition', `another server has or had that key; ${another}`);
    if ((await userKeysOf(tx, serverId)).length >= MOST_KEYS) {
      refuse('failed_precondition', `the server had ${MOST_KEYS} keys already; revoke it and let the host join again`);
    }
    await tx.settings.insert({ id, value: serverId });
  });
}

/** All that the server ever had leave for. */
export async function userKeysOf(store: Pick<Store, 'settings'>, serverId: string): Promise<string[]> {
  const held = await store.settings.find({ value: serverId });
  return held.flatMap(({ id }) => (id.startsWith(PREFIX) ? [id.slice(PREFIX.length)] : []));
}

function refuse(code: 'permission_denied' | 'failed_precondition', why: string): never {
  throw new AegirError(code, `cannot give leave to use the mesh: ${why}`);
}
