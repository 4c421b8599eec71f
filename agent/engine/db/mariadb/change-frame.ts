// How changes of a database travel from one server to another: frames of a kind, a length (32 bits, little-endian) and
// content. A transaction is begin, rows or a table that is emptied, commit; the last frame says where the log ended. Pure.
import { AegirError } from '../../../../shared/error.ts';
import { MOST_EVENT_BYTES } from './binlog-event.ts';

/** What they begin with, so that a dump is never taken for them. */
export const HEAD = Buffer.from('-- Changes of the database of a site, taken by Aegir.\n');

export type Frame =
  /** at: FILE:POSITION of its beginning. */
  | { readonly kind: 'begin'; readonly at: string }
  /** Whole events, one after the other: table maps and rows of this database alone. */
  | { readonly kind: 'rows'; readonly events: Buffer }
  /** A table of this database is emptied (TRUNCATE). */
  | { readonly kind: 'truncate'; readonly table: string }
  /** at: FILE:POSITION after it. */
  | { readonly kind: 'commit'; readonly at: string }
  | { readonly kind: 'end'; readonly at: string };

const KINDS = ['begin', 'rows', 'truncate', 'commit', 'end'] as const;
const MOST_BYTES = 2 * MOST_EVENT_BYTES;
const PREFIX = 5;

export function encodeFrame(frame: Frame): Buffer {
  const content = contentOf(frame);
  const prefix = Buffer.alloc(PREFIX);
  prefix[0] = KINDS.indexOf(frame.kind);
  prefix.writeUInt32LE(content.length, 1);
  return Buffer.concat([prefix, content]);
}

function contentOf(frame: Frame): Buffer {
  if (frame.kind === 'rows') return frame.events;
  return Buffer.from(frame.kind === 'truncate' ? frame.table : frame.at);
}

/** pieces: cut anywhere. Throws permission_denied for what is no such frames, data_loss when they do not end as they should. */
export async function* decodeFrames(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const source = reader(pieces);
  const next = async (bytes: number): Promise<Buffer> => {
    const there = await source.take(bytes);
    if (there !== undefined) return there;
    throw new AegirError('data_loss', 'cannot take changes of a database: they were cut; take them again');
  };
  try {
    if (!(await next(HEAD.length)).equals(HEAD)) throw refused('they do not begin as such do');
    for (;;) {
      const prefix = await next(PREFIX);
      const length = prefix.readUInt32LE(1);
      if (length > MOST_BYTES) throw refused('one is too long');
      const frame = frameOf(KINDS[prefix[0] ?? -1], await next(length));
      yield frame;
      if (frame.kind !== 'end') continue;
      if ((await source.take(1)) !== undefined) throw refused('something follows their end');
      return;
    }
  } finally {
    await source.leave();
  }
}

function frameOf(kind: (typeof KINDS)[number] | undefined, content: Buffer): Frame {
  if (kind === 'rows') return { kind, events: content };
  if (kind === 'truncate') return { kind, table: content.toString('utf8') };
  if (kind === undefined) throw refused('one is of no known kind');
  return { kind, at: content.toString('latin1') };
}

function refused(why: string): AegirError {
  return new AegirError('permission_denied', `cannot take changes of a database: ${why}; nothing of them was taken`);
}

interface Reader {
  /** undefined when less than that is left. */
  take(bytes: number): Promise<Buffer | undefined>;
  leave(): Promise<void>;
}

function reader(pieces: AsyncIterable<Uint8Array>): Reader {
  const source = pieces[Symbol.asyncIterator]();
  let kept: Buffer[] = [];
  let held = 0;
  return {
    async take(bytes) {
      while (held < bytes) {
        const { done, value } = await source.next();
        if (done === true) return undefined;
        kept.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
        held += value.byteLength;
      }
      const all = kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept);
      kept = [all.subarray(bytes)];
      held = all.length - bytes;
      return all.subarray(0, bytes);
    },
    async leave() {
      await source.return?.();
    },
  };
}
