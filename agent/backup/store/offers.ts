// Parts of backups that others may fetch from here: which they are is kept in memory, with the secrets of their services
// that never go to a disk; a grant says who may have one.
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AegirError } from '../../../shared/error.ts';
import type { PartFacts } from '../../../shared/gen/aegir/v1/backup.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { openCaibx } from '../../mesh/caibx.ts';
import { openBytes } from '../../mesh/file-bytes.ts';
import type { GivenChunks } from '../../mesh/objects.ts';
import type { PartSources } from '../parts.ts';
import { cut, hashed, writeIndex } from './index-stream.ts';
import type { Repository } from './repository.ts';

export interface OfferOrder {
  readonly service: ServiceRef;
  readonly backupId: string;
  readonly part: PartFacts;
}

export interface Offers extends PartSources {
  /** Throws when the backup is not there, or has no such part. May be repeated. */
  offer(order: OfferOrder, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface OffersOptions {
  /** Of its own: what is in it goes at the start. */
  readonly dir: string;
  /** The caller closes it. */
  open(service: ServiceRef, signal: AbortSignal): Promise<Repository>;
  readonly now: () => number;
}

interface Offer {
  readonly service: ServiceRef;
  /** Index of the part. */
  readonly path: string;
  usedAt: number;
}

const MOST = 256;
const LASTS_MS = 24 * 3600 * 1000;

export function createOffers({ dir, open, now }: OffersOptions): Offers {
  const offers = new Map<string, Offer>();
  const stop = new AbortController();
  let ready: Promise<void> | undefined;
  const clean = async () => {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true, mode: 0o700 });
  };
  const drop = async (key: string) => {
    const offer = offers.get(key);
    offers.delete(key);
    if (offer !== undefined) await rm(offer.path, { force: true });
  };
  const forget = async () => {
    for (const [key, { usedAt }] of offers) if (now() - usedAt > LASTS_MS) await drop(key);
    // The one that was not used for longest.
    while (offers.size >= MOST) {
      const [oldest] = [...offers].sort(([, a], [, b]) => a.usedAt - b.usedAt);
      await drop(oldest?.[0] ?? '');
    }
  };

  return {
    prefix: 'backup/',
    async offer({ service, backupId, part }, signal) {
      ready ??= clean();
      await ready;
      const repository = await open(service, signal);
      const path = join(dir, `${randomBytes(8).toString('hex')}.caibx`);
      try {
        await writePart(repository, backupId, part, path);
      } catch (thrown) {
        await rm(path, { force: true });
        throw thrown;
      } finally {
        await repository.close();
      }
      const key = `${service.id}/${backupId}/${part.part}`;
      await drop(key);
      await forget();
      offers.set(key, { service, path, usedAt: now() });
    },
    async give(rest): Promise<GivenChunks | undefined> {
      const offer = offers.get(rest);
      if (offer === undefined || now() - offer.usedAt > LASTS_MS) return undefined;
      offer.usedAt = now();
      const bytes = await openBytes(offer.path);
      if (bytes === undefined) return undefined;
      const closing: (() => Promise<void>)[] = [() => bytes.close()];
      const close = async () => {
        offer.usedAt = now();
        for (const each of closing.splice(0)) await each();
      };
      try {
        const index = await openCaibx(offer.path);
        closing.push(() => index.close());
        const repository = await open(offer.service, stop.signal);
        closing.push(() => repository.close());
        return { form: 'chunks', bytes, index, store: repository.chunks, close };
      } catch (thrown) {
        await close();
        throw thrown;
      }
    },
    async close() {
      stop.abort(new AegirError('unavailable', 'cannot send: the agent stops'));
      for (const key of [...offers.keys()]) await drop(key);
    },
  };
}

/** The part's index, cut out of the backup's; it must be what the part is known by. */
async function writePart(repository: Repository, backupId: string, part: PartFacts, path: string): Promise<void> {
  const { head, batches } = await repository.index(backupId);
  const count = Number(part.chunks);
  const { pieces, digest } = hashed(writeIndex(head, count, cut(batches, Number(part.firstChunk), count)));
  await pipeline(Readable.from(pieces), createWriteStream(path, { mode: 0o600, flags: 'wx' }));
  if (Buffer.compare(digest(), part.digest) === 0) return;
  throw new AegirError(
    'data_loss',
    `cannot offer ${part.part} of ${backupId}: its index is not the one that was kept; verify the backup`,
  );
}
