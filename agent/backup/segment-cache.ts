// What is known of a tree's segments since it was last read: key (what was found of their entries) to chunks. One file a
// tree, read at once and replaced whole; damaged it is as good as none.
import { createHash, hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ID_BYTES } from './caibx-file.ts';

export interface Ref {
  /** SHA-256, 32 bytes. */
  readonly id: Buffer;
  readonly size: number;
}

export interface SegmentCache {
  /** key: 32 bytes. */
  get(key: Buffer): readonly Ref[] | undefined;
  /** To be there in the next one. */
  keep(key: Buffer, refs: readonly Ref[]): void;
  /** The next one takes this one's place: what was not kept is forgotten. */
  save(): void;
}

const MAGIC = Buffer.from('aegir segments 2');
const KEY_BYTES = 32;
const REF_BYTES = ID_BYTES + 4;

export function openSegmentCache(path: string): SegmentCache {
  const known = read(path);
  const next: Buffer[] = [];
  return {
    get(key) {
      const at = known.places.get(key.toString('latin1'));
      if (at === undefined) return undefined;
      const { file } = known;
      const count = file.readUInt32LE(at);
      return Array.from({ length: count }, (_, i) => {
        const ref = at + 4 + i * REF_BYTES;
        return { id: file.subarray(ref, ref + ID_BYTES), size: file.readUInt32LE(ref + ID_BYTES) };
      });
    },
    keep(key, refs) {
      const bytes = Buffer.allocUnsafe(KEY_BYTES + 4 + refs.length * REF_BYTES);
      key.copy(bytes, 0);
      bytes.writeUInt32LE(refs.length, KEY_BYTES);
      for (const [i, { id, size }] of refs.entries()) {
        id.copy(bytes, KEY_BYTES + 4 + i * REF_BYTES);
        bytes.writeUInt32LE(size, KEY_BYTES + 4 + i * REF_BYTES + ID_BYTES);
      }
      next.push(bytes);
    },
    save() {
      const body = Buffer.concat([MAGIC, ...next]);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, Buffer.concat([body, sealOf(body)]), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}

/** A crash may leave any bytes: nothing is believed that does not bear its own digest. */
function read(path: string): { readonly file: Buffer; readonly places: ReadonlyMap<string, number> } {
  const places = new Map<string, number>();
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch {
    return { file: Buffer.alloc(0), places };
  }
  const end = file.length - KEY_BYTES;
  const body = file.subarray(0, Math.max(0, end));
  if (end < MAGIC.length || !body.subarray(0, MAGIC.length).equals(MAGIC) || !sealOf(body).equals(file.subarray(end)))
    return { file, places };
  for (let at = MAGIC.length; at < end; ) {
    places.set(file.toString('latin1', at, at + KEY_BYTES), at + KEY_BYTES);
    at += KEY_BYTES + 4 + file.readUInt32LE(at + KEY_BYTES) * REF_BYTES;
  }
  return { file, places };
}

function sealOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function segmentKey(lines: Buffer): Buffer {
  return hash('sha256', lines, 'buffer');
}
