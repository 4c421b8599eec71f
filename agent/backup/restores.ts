// Fetches parts and makes them what a site has here: its files, or its database. What came is kept until the restore is
// done, so that another one, after a crash or of a similar part, has less to fetch.
import { mkdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { PartSource, RestoreFacts } from '../../shared/gen/aegir/v1/backup.ts';
import { openCaibx } from '../mesh/caibx.ts';
import { createFileSink } from '../mesh/file-sink.ts';
import { memoryOf } from '../mesh/let-go.ts';
import type { Taken } from '../mesh/objects.ts';
import type { TransferProgress } from '../mesh/tally.ts';
import type { Transfers } from '../mesh/transfers.ts';
import { byTwo } from './by-two.ts';
import type { Former } from './former.ts';
import { checkPartGrant } from './parts.ts';
import type { SitePlace } from './site-owners.ts';
import { namesIn } from './snapshots.ts';
import type { Hand, Workers } from './workers.ts';

export interface RestoreOptions {
  readonly transfers: Transfers;
  readonly source: PartSource;
  readonly signal: AbortSignal;
  /** Bytes that the site has here, which were looked at first: what is among them need not travel. */
  readonly onLooked: (bytes: number) => void;
  readonly onTransfer: (progress: TransferProgress) => void;
  /** Bytes of the part that are in their place. */
  readonly onRestored: (bytes: number) => void;
  readonly onWarning: (text: string) => void;
}

export interface Restores {
  /** key: names the site. fetchOnly: nothing of the site is touched. */
  files(key: string, place: SitePlace, fetchOnly: boolean, options: RestoreOptions): Promise<RestoreFacts>;
  /**
   * feed: takes the dump, and answers how many tables there are then. again: what came stays, for another one that has most
   * of it.
   */
  dump(
    key: string,
    feed: (dump: AsyncIterable<Uint8Array>) => Promise<number>,
    options: RestoreOptions,
    again?: boolean,
  ): Promise<RestoreFacts>;
  /** Removes what was of no use for a week. */
  sweep(): Promise<void>;
}

export interface RestoresOptions {
  /** Each restore has a directory in it. */
  readonly dir: string;
  readonly workers: Workers;
  readonly former: Pick<Former, 'trees'>;
  readonly now: () => number;
}

/** Where a stage has its chunks. */
const PACK = 'pack';
const KEEP_MS = 7 * 24 * 3600 * 1000;

export function createRestores({ dir, workers, former, now }: RestoresOptions): Restores {
  const busy = new Set<string>();

  const within = async <T>(name: string, act: (hand: Hand, at: string) => Promise<T>): Promise<T> => {
    const at = join(dir, name);
    await mkdir(at, { recursive: true, mode: 0o700 });
    await utimes(at, now() / 1000, now() / 1000);
    const hand = await workers.take();
    busy.add(name);
    try {
      return await act(hand, at);
    } catch (thrown) {
      // What must not be restored is not worth keeping.
      const refused = thrown instanceof AegirError && thrown.code === 'permission_denied';
      await hand.release();
      if (refused) await rm(at, { recursive: true, force: true });
      throw thrown;
    } finally {
      await hand.release();
      busy.delete(name);
    }
  };

  const fetch = (hand: Hand, at: string, { transfers, source, signal, onTransfer }: RestoreOptions) => {
    const grant = source.grant ?? { body: Buffer.alloc(0), signature: Buffer.alloc(0) };
    return transfers.receive(grant, {
      ...{ from: source.senderName, signal, onProgress: onTransfer },
      into: async (checked): Promise<Taken> => {
        checkPartGrant(checked);
        return {
          form: 'chunks',
          // As with chunks: its digest is compared before it is used, and it goes when the restore is done.
          sink: createFileSink(join(at, 'index.caibx'), false),
          async openIndex(path) {
            await hand.call('useIndex', path, { signal });
            return openCaibx(path);
          },
          store: {
            has: (ids) => hand.call('has', ids, { signal }),
            takeIn: (refs, chunks) =>
              hand.call('takeIn', { refs, chunks }, { give: memoryOf(chunks.map(({ bytes }) => bytes)) }),
            // Only a power cut could lose what came; what is not whole then is fetched again.
            flush: async () => {},
          },
        };
      },
    });
  };

  return {
    files: (key, place, fetchOnly, options) =>
      within(`${key}-files`, async (hand, at) => {
        const { signal, onRestored: onProgress, onWarning } = options;
        const { owners, cacheDir } = place;
        const was = await former.trees(key);
        await byTwo(workers, owners, signal, (companion, two) => {
          const stage = { dir: at, live: { ...place, companion }, former: was };
          return hand.call('openStage', stage, { signal, onProgress: options.onLooked, ...two });
        });
        const transfer = await fetch(hand, at, options);
        if (!transfer.complete) return unfinished(transfer);
        const same = await hand.call('sameFiles', undefined);
        const { entries } = same ?? (await hand.call('checkFiles', place.trees, { signal }));
        const facts = { complete: true, receivedBytes: transfer.receivedBytes, entries: BigInt(entries) };
        if (fetchOnly) return { ...facts, written: 0n, writtenBytes: 0n };
        const putBack = () =>
          byTwo(workers, owners, signal, (companion, two) =>
            hand.call(
              'putBack',
              { trees: place.trees, owners, cacheDir, companion },
              { signal, onProgress, onWarning, ...two },
            ),
          );
        const { written, writtenBytes } = same === undefined ? await putBack() : NOTHING;
        await hand.release();
        await rm(at, { recursive: true, force: true });
        return { ...facts, written: BigInt(written), writtenBytes: BigInt(writtenBytes) };
      }),

    dump: (key, feed, options, again = false) =>
      within(`${key}-database`, async (hand, at) => {
        const { signal } = options;
        await hand.call('openStage', { dir: at, live: undefined, former: undefined }, { signal });
        const transfer = await fetch(hand, at, options);
        if (!transfer.complete) return unfinished(transfer);
        const size = await hand.call('checkDump', undefined, { signal });
        const tables = BigInt(await feed(piecesOf(hand, size, signal, options.onRestored)));
        await hand.release();
        for (const name of await namesIn(at)) {
          if (!again || name !== PACK) await rm(join(at, name), { recursive: true, force: true });
        }
        if (!again) await rm(at, { recursive: true, force: true });
        const { receivedBytes } = transfer;
        return { complete: true, receivedBytes, written: tables, entries: tables, writtenBytes: BigInt(size) };
      }),

    async sweep() {
      for (const name of await namesIn(dir)) {
        const used = await stat(join(dir, name)).catch(() => undefined);
        if (busy.has(name) || used === undefined || now() - used.mtimeMs < KEEP_MS) continue;
        await rm(join(dir, name), { recursive: true, force: true });
      }
    },
  };
}

const NOTHING = { written: 0, writtenBytes: 0 };

function unfinished({ receivedBytes }: TransferFacts): RestoreFacts {
  return { complete: false, receivedBytes, written: 0n, entries: 0n, writtenBytes: 0n };
}

/** The next piece is read while the last one is used. */
async function* piecesOf(
  hand: Hand,
  size: number,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const read = (offset: number) => {
    const piece = offset < size ? hand.call('readDump', offset, { signal }) : undefined;
    piece?.catch(() => {}); // awaited in its turn, unless nobody wants it any more
    return piece;
  };
  let next = read(0);
  for (let at = 0; next !== undefined; ) {
    const piece = await next;
    at += piece.length;
    next = read(at);
    yield piece;
    onProgress(Math.min(at, size));
  }
}
