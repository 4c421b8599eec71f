// Who is calling: from a bearer token's value to a caller. Values are looked up by their hash only.
import { sha256Hex } from '../../shared/digest.ts';
import { AegirError } from '../../shared/error.ts';
import { isRole } from '../../shared/vocabulary.ts';
import type { AdminDeps, Caller } from './deps.ts';

const MAX_TOKEN = 200;

/** Throws unauthenticated. Why a token is refused is told only to those who know its value. */
export async function authorise(deps: Pick<AdminDeps, 'store' | 'now'>, value: string): Promise<Caller> {
  const refuse = (why: string): never => {
    throw new AegirError(
      'unauthenticated',
      `cannot authorise the call: ${why}; an administrator makes one with: aegir token create api --role operator`,
    );
  };
  if (value === '' || value.length > MAX_TOKEN) return refuse('it needs a valid API token');
  const [token] = await deps.store.tokens.find({ hash: sha256Hex(value) });
  if (token === undefined || token.kind !== 'api' || !isRole(token.role)) return refuse('it needs a valid API token');
  if (token.revokedAt !== null) return refuse(`token ${token.id} was revoked`);
  if (token.expiresAt !== null && token.expiresAt <= deps.now()) return refuse(`token ${token.id} has expired`);
  return { actor: token.description === '' ? token.id : `${token.description} (${token.id})`, role: token.role };
}
