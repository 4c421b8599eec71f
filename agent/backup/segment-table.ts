// Which chunks of a snapshot are which entries: a record of fixed size for each segment, and the lines of its entries
// beside. Both are read in parts, since a site may have more files than fit into memory.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { decodeFound, type FoundEntry } from './found-entry.ts';
import { fullDisk } from './full-disk.ts';
import { writeAll } from './pack.ts';

export interface Segment {
  /** In the part. */
  readonly offset: number;
  readonly length: number;
  readonly firstPlace: number;
  readonly count: number;
  /** Which of the snapshot's trees; -1 for the end of the archive. */
  readonly tree: number;
}

export interface SegmentTableWriter {
  add(segment: Segment, lines: Buffer): void;
  finish(): void;
  close(): void;
}

const RECORD_BYTES = 40;
/** Of lines in memory. */
const LINES_BYTES = 256 * 1024;
const RECORDS = 'segments';
const LINES = 'entries';

export function createSegmentTable(dir: string): SegmentTableWriter {
  const [records, entries] = [openSync(join(dir, RECORDS), 'w', 0o600), openSync(join(dir, LINES), 'w', 0o600)];
  let linesAt = 0;
  let pending: Buffer[] = [];
  let linesPending: Buffer[] = [];
  let linesHeld = 0;
  let open = true;
  const flush = () => {
    fullDisk(dir, () => {
      writeAll(records, Buffer.concat(pending));
      writeAll(entries, Buffer.concat(linesPending));
    });
    pending = [];
    linesPending = [];
    linesHeld = 0;
  };
  const table: SegmentTableWriter = {
    add({ offset, length, firstPlace, count, tree }, lines) {
      const record = Buffer.alloc(RECORD_BYTES);
      record.writeDoubleLE(offset, 0);
      record.writeDoubleLE(length, 8);
      record.writeDoubleLE(linesAt, 16);
      record.writeUInt32LE(lines.length, 24);
      record.writeUInt32LE(firstPlace, 28);
      record.writeUInt32LE(count, 32);
      record.writeInt32LE(tree, 36);
      pending.push(record);
      linesPending.push(lines);
      linesAt += lines.length;
      linesHeld += lines.length;
      if (pending.length >= 1000 || linesHeld >= LINES_BYTES) flush();
    },
    finish() {
      flush();
      table.close();
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(records);
      closeSync(entries);
    },
  };
  return table;
}

export interface SegmentTable {
  readonly count: number;
  at(place: number): Segment;
  /** Place of the segment that has the chunk at a place of the index. */
  ofChunk(place: number): number;
  entriesOf(place: number): readonly FoundEntry[];
  close(): void;
}

export function openSegmentTable(dir: string): SegmentTable {
  const records = readFileSync(join(dir, RECORDS));
  const entries = openSync(join(dir, LINES), 'r');
  const count = records.length / RECORD_BYTES;
  const at = (place: number): Segment => {
    const from = place * RECORD_BYTES;
    return {
      offset: records.readDoubleLE(from),
      length: records.readDoubleLE(from + 8),
      firstPlace: records.readUInt32LE(from + 28),
      count: records.readUInt32LE(from + 32),
      tree: records.readInt32LE(from + 36),
    };
  };
  return {
    count,
    at,
    ofChunk(chunk) {
      let low = 0;
      let high = count - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (at(middle).firstPlace <= chunk) low = middle;
        else high = middle - 1;
      }
      return low;
    },
    entriesOf(place) {
      const bytes = Buffer.allocUnsafe(records.readUInt32LE(place * RECORD_BYTES + 24));
      readSync(entries, bytes, 0, bytes.length, records.readDoubleLE(place * RECORD_BYTES + 16));
      return decodeFound(bytes);
    },
    close: () => closeSync(entries),
  };
}
