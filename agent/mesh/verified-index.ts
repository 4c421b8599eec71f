// Whether an index is the one that a grant is for.
import { createHash } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { CheckedGrant } from './grant.ts';
import type { Bytes } from './objects.ts';

const STRIDE = 1024 * 1024;

export async function verifiedIndex(bytes: Bytes, grant: CheckedGrant): Promise<void> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.size; at += STRIDE) {
    hash.update(await bytes.read(at, Math.min(STRIDE, bytes.size - at)));
  }
  if (hash.digest('hex') === grant.digest) return;
  throw new AegirError(
    'permission_denied',
    `cannot send ${grant.kind} ${grant.name}: it is not the one that the grant is for; it was changed since`,
  );
}
