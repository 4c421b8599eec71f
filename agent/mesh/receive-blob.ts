// Receives a blob: in order, hashed as it comes, durable every few megabytes, in its place only when the digest is right.
import { createHash } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import { flow } from './flow.ts';
import type { Sink } from './objects.ts';
import type { Pull } from './pull.ts';
import { MESSAGE_BYTES } from './wire.ts';

const FLUSH_BYTES = 8 * 1024 * 1024;

export interface Receiving {
  limit(bytes: number): Promise<void>;
  /** Bytes that came and were written. */
  arrived(bytes: number, chunks: number): void;
  /** Of the object, once known; bytes are before compression. */
  known(bytes: number, chunks: number, there: number): void;
  /** False: ask for nothing more, the time of the grant is over. */
  goOn(): boolean;
}

export interface BlobReceipt {
  /** True when there was nothing to do. */
  begin(): Promise<boolean>;
  /** Goes on from what is there. False when the time was over before all of it was. */
  pull(pull: Pull, size: number, receiving: Receiving): Promise<boolean>;
  /** Of the blob, verified: puts it in its place. */
  close(): Promise<void>;
}

/** commit: put it in its place when all is there; an index waits for its chunks. */
export function receiveBlob(sink: Sink, digest: string, commit: boolean): BlobReceipt {
  let hash = createHash('sha256');
  let at = 0;
  /** What a former run left is among it: when the digest is wrong, that may be why. */
  let inherited = 0;
  const anew = async () => {
    await sink.discard();
    hash = createHash('sha256');
    at = 0;
    inherited = 0;
    await sink.begin(digest, () => {});
  };
  return {
    async begin() {
      const { whole, kept } = await sink.begin(digest, (bytes) => hash.update(bytes));
      at = kept;
      inherited = kept;
      return whole;
    },
    async pull(pull, size, receiving) {
      for (;;) {
        if (at > size) await anew();
        receiving.known(size, 0, 0);
        if (at > 0) receiving.known(size, 0, at);
        let asked = at;
        let dirty = 0;
        await flow<number>({
          pull,
          limit: (bytes) => receiving.limit(bytes),
          next: async () => {
            if (asked >= size || !receiving.goOn()) return undefined;
            const length = Math.min(MESSAGE_BYTES, size - asked);
            asked += length;
            return { wanted: { of: 'bytes', offset: asked - length, length }, bytes: length, about: length };
          },
          take: async ({ bytes }, length) => {
            if (bytes.length !== length) {
              throw new AegirError('data_loss', 'cannot use what came: the sender sent less than it was asked for');
            }
            await sink.write(bytes);
            hash.update(bytes);
            at += length;
            dirty += length;
            if (dirty >= FLUSH_BYTES) {
              await sink.flush();
              dirty = 0;
            }
            receiving.arrived(length, 0);
          },
        });
        if (at < size) {
          await sink.flush();
          return false;
        }
        if (hash.copy().digest('hex') === digest) break;
        const again = inherited > 0;
        if (!again) {
          await sink.discard();
          throw new AegirError(
            'data_loss',
            'cannot use what came: its digest is not the granted one; it was damaged or changed at the sender, and is thrown away',
          );
        }
        await anew();
      }
      if (commit) await sink.commit();
      else await sink.flush();
      return true;
    },
    close: () => sink.close(),
  };
}
