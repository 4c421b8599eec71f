// Secrets at rest: AES-256-GCM under the master's key file, bound to the id they are stored by.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { createPrivate, privateDirectory, readPrivate } from './durable-file.ts';

export interface Sealer {
  /** Text that only unseal() of the same id and key opens. */
  seal(secretId: string, text: string): string;
  /** Throws data_loss when it was changed, moved to another id, or sealed by another key. */
  unseal(secretId: string, sealed: string): string;
}

const PREFIX = 'v1:';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The key is in DIR/seal.key; made when it is not there. */
export async function openSealer(dir: string): Promise<Sealer> {
  await privateDirectory(dir);
  const path = join(dir, 'seal.key');
  if ((await readPrivate(path)) === undefined) await createPrivate(path, randomBytes(KEY_BYTES));
  const key = await readPrivate(path);
  if (key?.length !== KEY_BYTES) {
    throw new AegirError(
      'data_loss',
      `cannot use ${path}: it is no key of ${KEY_BYTES} bytes; restore it from a backup`,
    );
  }
  return createSealer(key);
}

export function createSealer(key: Uint8Array): Sealer {
  return {
    seal(secretId, text) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(boundTo(secretId));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${PREFIX}${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')}`;
    },
    unseal(secretId, sealed) {
      const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64');
      if (!sealed.startsWith(PREFIX) || bytes.length < IV_BYTES + TAG_BYTES) throw broken(secretId);
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(boundTo(secretId));
        decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
        const body = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
        return Buffer.concat([body, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw broken(secretId, cause);
      }
    },
  };
}

function boundTo(secretId: string): Buffer {
  return Buffer.from(`aegir ${PREFIX}${secretId}`);
}

function broken(secretId: string, cause?: unknown): AegirError {
  return new AegirError(
    'data_loss',
    `cannot open secret ${secretId}: it was changed, or sealed by another seal.key; restore store and key from one backup`,
    { cause },
  );
}
