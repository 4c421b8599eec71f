// A part that is being restored, as bytes: chunks that came lie in a pack, others are still what the site's own files are.
// For workers alone.
import { hash } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import { MAX_CHUNK_BYTES } from '../mesh/objects.ts';
import { zstdUnpacked } from '../mesh/zstd.ts';
import { createPlaces, ID_BYTES, type IndexFile, readIndex } from './caibx-file.ts';
import { zeroChunk } from './chunker.ts';
import type { FoundEntry } from './found-entry.ts';
import { zeroId } from './hollow.ts';
import type { Pack } from './pack.ts';
import type { SnapshotBytes } from './snapshot-bytes.ts';
import { END_BYTES } from './tar-header.ts';

export interface PartBytes {
  readonly index: IndexFile;
  /** For each, 64 hexadecimal digits, whether it need not come. What the site's files have of it is copied, before they change. */
  has(ids: readonly string[]): boolean[];
  /** The part is what an index says, chunk by chunk; the end of the archive may follow. */
  isWhole(of: IndexFile): boolean;
  read(offset: number, length: number): Buffer;
  /** At least one of the bytes, at most length; they are good until the next call. For what is long: it takes no memory. */
  lend(offset: number, length: number): Buffer;
  /** So many bytes from the offset on are zeros, as their chunks' names say, if not more. */
  zerosAt(offset: number): number;
  /** Where the bytes lie in the pack: offset and length of each piece. undefined: elsewhere, or otherwise. */
  packed(offset: number, length: number): readonly number[] | undefined;
  /** Descriptor of the pack. */
  packFile(): number;
  /** What begins at the offset is, entry by entry, what the site has: its entries and how many bytes they are. */
  sameAt(offset: number): { readonly entries: readonly FoundEntry[]; readonly length: number } | undefined;
  /** Forgets all sameness but that which sameAt was asked for, and copies what it takes. */
  settle(): void;
  /** All that shall be read was read. */
  done(): void;
}

const FREE = -1;
const WITHIN = -2;
const END_ID = hash('sha256', Buffer.alloc(END_BYTES), 'buffer');
const FEW = 4096;
/** Chunks that are looked at together. */
const MOST_ZEROS = 1024;

/** live: what the site has now; undefined when that is of no use. former: what it had, to be copied from. */
export function openPartBytes(
  indexPath: string,
  pack: Pack,
  live: SnapshotBytes | undefined,
  former?: SnapshotBytes,
): PartBytes {
  const index = readIndex(indexPath);
  const places = createPlaces(index);
  /** For each place: the segment of the site that begins with it, WITHIN one, or FREE. */
  const same = new Int32Array(index.count).fill(FREE);
  const asked = new Uint8Array(index.count);
  /** By the first place of a chunk: it stands at a place that is FREE. */
  const needed = new Uint8Array(index.count);
  let last: { readonly place: number; readonly bytes: Buffer } | undefined;
  let room: Buffer | undefined;
  let lent: { readonly place: number; readonly bytes: Buffer } | undefined;

  if (live !== undefined) markSame(index, live, same);
  for (let place = 0; place < index.count; place++) {
    if (same[place] === FREE) needed[places(index.idAt(place)) ?? place] = 1;
  }

  const copied = (id: Buffer): boolean => {
    if (pack.has(id)) return true;
    for (const there of [live, former]) {
      const place = there?.placeOf(id);
      if (there === undefined || place === undefined) continue;
      try {
        const bytes = there.chunkAt(place);
        if (!hash('sha256', bytes, 'buffer').equals(id)) continue;
        pack.put(id, bytes);
        return true;
      } catch (thrown) {
        // Changed meanwhile: it comes from the sender then.
        if (!(thrown instanceof AegirError) || thrown.code !== 'data_loss') throw thrown;
      }
    }
    return false;
  };
  const chunkAt = (place: number): Buffer => {
    if (last?.place === place) return last.bytes;
    const id = index.idAt(place);
    const inLive = same[place] !== FREE && !pack.has(id) ? live?.placeOf(id) : undefined;
    const bytes =
      inLive !== undefined && live !== undefined ? live.chunkAt(inLive) : unpack(pack, id, index.sizeAt(place));
    last = { place, bytes };
    return bytes;
  };

  const lentAt = (place: number): Buffer => {
    if (lent?.place === place) return lent.bytes;
    room ??= Buffer.allocUnsafeSlow(MAX_CHUNK_BYTES);
    const id = index.idAt(place);
    const bytes = pack.has(id) ? pack.getInto(id, room) : undefined;
    if (bytes === undefined || bytes.length !== index.sizeAt(place)) return chunkAt(place);
    lent = { place, bytes };
    return bytes;
  };

  /** Of one chunk: the chunk is not read for a few of its bytes. */
  const within = (place: number, begin: number, length: number): Buffer => {
    if (lent?.place === place && last?.place !== place) return Buffer.from(lent.bytes.subarray(begin, begin + length));
    const id = index.idAt(place);
    const few = last?.place !== place && length <= FEW && pack.has(id);
    const bytes = few ? pack.getInto(id, Buffer.allocUnsafe(length), begin) : undefined;
    if (bytes !== undefined && bytes.length === length) return bytes;
    return chunkAt(place).subarray(begin, begin + length);
  };

  return {
    index,
    isWhole(of) {
      const rest = index.count - of.count;
      for (let place = 0; place < of.count; place++) {
        if (rest < 0 || !index.idAt(place).equals(of.idAt(place))) return false;
      }
      return rest === 0 || (rest === 1 && index.idAt(of.count).equals(END_ID));
    },
    lend(offset, length) {
      const place = index.placeOf(offset);
      const begin = offset - index.offsetAt(place);
      return lentAt(place).subarray(begin, begin + length);
    },
    has: (ids) =>
      ids.map((text) => {
        const id = Buffer.from(text, 'hex');
        const place = id.length === ID_BYTES ? places(id) : undefined;
        return place !== undefined && (needed[place] === 0 || copied(id));
      }),
    read(offset, length) {
      const first = index.placeOf(offset);
      const begin = offset - index.offsetAt(first);
      if (begin + length <= index.sizeAt(first)) return within(first, begin, length);
      const bytes = Buffer.allocUnsafe(length);
      for (let done = 0, place = first; done < length; place++) {
        const from = offset + done - index.offsetAt(place);
        const count = Math.min(length - done, index.sizeAt(place) - from);
        done += within(place, from, count).copy(bytes, done);
      }
      return bytes;
    },
    zerosAt(offset) {
      let place = index.placeOf(offset);
      const most = Math.min(index.count, place + MOST_ZEROS);
      while (place < most && isZeros(index, place)) place += 1;
      return Math.max(0, index.offsetAt(place) - offset);
    },
    packed(offset, length) {
      const pieces: number[] = [];
      for (let done = 0, place = length === 0 ? 0 : index.placeOf(offset); done < length; place++) {
        const at = pack.plainAt(index.idAt(place), index.sizeAt(place));
        if (at === undefined) return undefined;
        const from = offset + done - index.offsetAt(place);
        const count = Math.min(length - done, index.sizeAt(place) - from);
        pieces.push(at + from, count);
        done += count;
      }
      return pieces;
    },
    packFile: () => pack.file,
    sameAt(offset) {
      const place = index.placeOf(offset);
      const segment = same[place] as number;
      if (live === undefined || segment < 0 || index.offsetAt(place) !== offset) return undefined;
      asked[place] = 1;
      return { entries: live.segments.entriesOf(segment), length: live.segments.at(segment).length };
    },
    done: () => pack.forget(),
    settle() {
      for (let place = 0; place < index.count; ) {
        const from = place;
        place += 1;
        if ((same[from] as number) < 0) continue;
        while (place < index.count && same[place] === WITHIN) place += 1;
        if (asked[from] === 1) continue;
        for (let each = from; each < place; each++) {
          if (!pack.has(index.idAt(each))) pack.put(index.idAt(each), chunkAt(each));
          same[each] = FREE;
        }
      }
    },
  };
}

function isZeros(index: IndexFile, place: number): boolean {
  return index.sizeAt(place) === zeroChunk().length && index.idAt(place).equals(zeroId());
}

function markSame(index: IndexFile, live: SnapshotBytes, same: Int32Array): void {
  const { segments } = live;
  const byFirst = new Map<string, number>();
  for (let place = 0; place < segments.count; place++) {
    const { firstPlace, tree } = segments.at(place);
    if (tree >= 0) byFirst.set(live.index.idAt(firstPlace).toString('latin1'), place);
  }
  for (let place = 0; place < index.count; ) {
    const segment = byFirst.get(index.idAt(place).toString('latin1'));
    const count = segment === undefined ? 0 : alike(index, place, live, segment);
    for (let i = 0; i < count; i++) same[place + i] = i === 0 ? (segment as number) : WITHIN;
    place += Math.max(1, count);
  }
}

/** How many chunks the segment has, all of which stand at the place; 0 when they do not. */
function alike(index: IndexFile, place: number, live: SnapshotBytes, segment: number): number {
  const { firstPlace, count } = live.segments.at(segment);
  if (place + count > index.count) return 0;
  for (let i = 0; i < count; i++) {
    if (!index.idAt(place + i).equals(live.index.idAt(firstPlace + i))) return 0;
  }
  return count;
}

function unpack(pack: Pack, id: Buffer, size: number): Buffer {
  const { compression, bytes } = pack.get(id);
  return compression === 'zstd' ? zstdUnpacked(bytes, size) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
