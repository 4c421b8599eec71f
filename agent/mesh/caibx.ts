// The index of a set of chunks as casync writes it (.caibx): read from disk in parts.
import { AegirError } from '../../shared/error.ts';
import { openBytes } from './file-bytes.ts';
import { type ChunkIndex, type ChunkRef, MAX_CHUNK_BYTES } from './objects.ts';

// casync's own numbers (src/caformat.h), little endian.
const INDEX = 0x96824d9c7b129ff9n;
const TABLE = 0xe75b9e112f17417dn;
const TAIL = 0x4b4f050e5549ecd1n;
const HEADER_BYTES = 48 + 16;
const ITEM_BYTES = 8 + 32;
const TAIL_BYTES = 40;

/** Throws data_loss for a file that is no such index. */
export async function openCaibx(path: string): Promise<ChunkIndex> {
  const bytes = await openBytes(path);
  const damaged = (why: string) => new AegirError('data_loss', `cannot read the index ${path}: ${why}`);
  if (bytes === undefined) throw new AegirError('not_found', `cannot read the index ${path}: it is not there`);
  try {
    const room = bytes.size - HEADER_BYTES - TAIL_BYTES;
    if (room < 0 || room % ITEM_BYTES !== 0) throw damaged('its size is wrong');
    const header = Buffer.from(await bytes.read(0, HEADER_BYTES));
    if (header.readBigUInt64LE(8) !== INDEX || header.readBigUInt64LE(56) !== TABLE) throw damaged('it is none');
    const tail = Buffer.from(await bytes.read(bytes.size - TAIL_BYTES, TAIL_BYTES));
    if (tail.readBigUInt64LE(32) !== TAIL || tail.readBigUInt64LE(0) !== 0n) throw damaged('its end is missing');
    const count = room / ITEM_BYTES;
    const endOf = async (place: number) =>
      place < 0 ? 0 : Number(Buffer.from(await bytes.read(HEADER_BYTES + place * ITEM_BYTES, 8)).readBigUInt64LE(0));
    const total = await endOf(count - 1);
    return {
      count,
      bytes: total,
      async at(first, wanted) {
        if (first < 0 || wanted < 0 || first + wanted > count) throw damaged('there is no such place in it');
        let end = await endOf(first - 1);
        const items = Buffer.from(await bytes.read(HEADER_BYTES + first * ITEM_BYTES, wanted * ITEM_BYTES));
        const refs: ChunkRef[] = [];
        for (let at = 0; at < items.length; at += ITEM_BYTES) {
          const next = Number(items.readBigUInt64LE(at));
          const size = next - end;
          if (!(size >= 1 && size <= MAX_CHUNK_BYTES)) throw damaged('a chunk has an impossible size');
          refs.push({ id: items.toString('hex', at + 8, at + ITEM_BYTES), size });
          end = next;
        }
        return refs;
      },
      close: () => bytes.close(),
    };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

export interface ChunkSizes {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

/** The whole index in memory: for those that are small. */
export function encodeCaibx(chunks: readonly ChunkRef[], sizes: ChunkSizes): Uint8Array {
  const file = Buffer.alloc(HEADER_BYTES + chunks.length * ITEM_BYTES + TAIL_BYTES);
  const numbers = (at: number, values: readonly bigint[]) => {
    for (const [i, value] of values.entries()) file.writeBigUInt64LE(value, at + 8 * i);
  };
  numbers(0, [48n, INDEX, 0n, BigInt(sizes.min), BigInt(sizes.average), BigInt(sizes.max)]);
  numbers(48, [0xffffffffffffffffn, TABLE]);
  let end = 0;
  for (const [i, { id, size }] of chunks.entries()) {
    end += size;
    numbers(HEADER_BYTES + i * ITEM_BYTES, [BigInt(end)]);
    file.write(id, HEADER_BYTES + i * ITEM_BYTES + 8, 'hex');
  }
  const table = BigInt(16 + chunks.length * ITEM_BYTES + TAIL_BYTES);
  numbers(file.length - TAIL_BYTES, [0n, 0n, 48n, table, TAIL]);
  return file;
}
