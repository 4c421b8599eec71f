// Backups that the service cannot read: every object is encrypted by AES-256-GCM under a key of its own, which is derived
// from the store's key, random salt and the object's name, in frames of 1 MiB that cannot be left out, swapped or cut off.
// Chunks are named by a keyed hash of their digest, so that nobody can tell by a name that some known content is there.
// Ids of backups stay as they are: they are random, and say nothing that the times of the objects do not.
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AegirError } from '../../../shared/error.ts';
import { CHUNKS, FILES, type Form } from './form.ts';

const MAGIC = Buffer.from('aegir sealed 1\n\0');
const SALT = 32;
const FRAME = 1024 * 1024;
const TAG = 16;
/** Object that tells whether a key is the store's. */
export const KEY_MARK = 'aegir-key';

const SEALED_FILE = /^backups\/([A-Za-z0-9][A-Za-z0-9._-]*\.(?:caibx|json))\.sealed$/;

type Content = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface SealedForm extends Form {
  /** Content of KEY_MARK. */
  readonly mark: string;
}

/** key: 32 bytes. */
export function createSealedForm(key: Uint8Array): SealedForm {
  const derive = (what: string) => createHmac('sha256', key).update(`aegir store ${what}`).digest();
  const names = derive('names');
  const contents = derive('contents');
  const keyOf = (object: string, salt: Uint8Array) =>
    createHmac('sha256', contents).update(salt).update(object).digest();

  return {
    encrypted: true,
    mark: `${derive('mark').toString('hex')}\n`,
    chunk(id) {
      const name = createHmac('sha256', names).update(id).digest('hex');
      return `${CHUNKS}${name.slice(0, 4)}/${name}.sealed`;
    },
    chunks: CHUNKS,
    isChunk: (object) => /^chunks\/([0-9a-f]{4})\/\1[0-9a-f]{60}\.sealed$/.test(object),
    file: (name) => `${FILES}${name}.sealed`,
    fileOf: (object) => SEALED_FILE.exec(object)?.[1],

    async *seal(object, content) {
      const salt = randomBytes(SALT);
      const own = keyOf(object, salt);
      yield Buffer.concat([MAGIC, salt]);
      let at = 0;
      for await (const { bytes, last } of framed(content, FRAME)) {
        const cipher = createCipheriv('aes-256-gcm', own, nonce(at, last));
        yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
        at += 1;
      }
    },

    async *open(object, pieces) {
      const damaged = () =>
        new AegirError('data_loss', `cannot read object ${object}: it was altered, cut off, or sealed by another key`);
      const head = createHead(MAGIC.length + SALT);
      let own: Buffer | undefined;
      let at = 0;
      for await (const { bytes, last } of framed(head.rest(pieces), FRAME + TAG)) {
        own ??= keyOf(object, head.taken().subarray(MAGIC.length));
        if (!head.taken().subarray(0, MAGIC.length).equals(MAGIC) || bytes.length < TAG) throw damaged();
        const decipher = createDecipheriv('aes-256-gcm', own, nonce(at, last));
        decipher.setAuthTag(bytes.subarray(bytes.length - TAG));
        const plain = decipher.update(bytes.subarray(0, bytes.length - TAG));
        try {
          decipher.final();
        } catch {
          throw damaged();
        }
        yield plain;
        at += 1;
      }
    },
  };
}

export function isSealedFile(object: string): boolean {
  return SEALED_FILE.test(object);
}

export function sameMark(there: string, ours: string): boolean {
  const [a, b] = [Buffer.from(there), Buffer.from(ours)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The place of a frame, and whether it is the last one: each key is used for one object, so that none comes twice. */
function nonce(at: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(at, 0);
  bytes[11] = last ? 1 : 0;
  return bytes;
}

/** Frames of the same size; the last one may be shorter, and is there also when there is nothing. */
async function* framed(
  content: Content,
  size: number,
): AsyncIterable<{ readonly bytes: Buffer; readonly last: boolean }> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    for (let rest = piece; rest.length > 0; ) {
      if (bytes === size) {
        yield { bytes: Buffer.concat(held), last: false };
        held = [];
        bytes = 0;
      }
      const part = rest.subarray(0, size - bytes);
      held.push(part);
      bytes += part.length;
      rest = rest.subarray(part.length);
    }
  }
  yield { bytes: Buffer.concat(held), last: true };
}

/** Takes the first bytes off. */
function createHead(size: number) {
  const head = Buffer.alloc(size);
  let held = 0;
  return {
    taken: () => head,
    async *rest(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
      for await (const piece of pieces) {
        const part = piece.subarray(0, size - held);
        head.set(part, held);
        held += part.length;
        if (piece.length > part.length) yield piece.subarray(part.length);
      }
    },
  };
}
