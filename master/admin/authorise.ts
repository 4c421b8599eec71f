// Who is calling: from a bearer token's value to a caller. Values are looked up by their hash only.

import { sha256Hex } from '../../shared/digest.ts';
import { AegirError } from '../../shared/error.ts';
import { isRole } from '../../shared/vocabulary.ts';
import type { AdminDeps, Caller } from './deps.ts';

const MAX_TOKEN = 200;

/** Throws unauthenticated, without saying whether the token was unknown, ended or of another kind. */
export async function authorise(deps: Pick<AdminDeps, 'store' | 'now'>, value: string): Promise<Caller> {
  const refused = new AegirError(
    'unauthenticated',
    'cannot authorise the call: it needs a valid API token; make one with: aegir token create api --role operator',
  );
  if (value === '' || value.length > MAX_TOKEN) throw refused;
  const [token] = await deps.store.tokens.find({ hash: sha256Hex(value) });
  const valid =
    token !== undefined &&
    token.kind === 'api' &&
    token.revokedAt === null &&
    (token.expiresAt === null || token.expiresAt > deps.now());
  if (!valid || !isRole(token.role)) throw refused;
  return { actor: token.description === '' ? token.id : `${token.description} (${token.id})`, role: token.role };
}
