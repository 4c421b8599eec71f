// What we change in what mariadb-dump writes: it names no account, no database and no place in the binary log, so that the
// same content is the same bytes and fits everywhere. Whatever somebody wrote into his database to look like a line of
// it harms his own dump alone: a dump is restored with rights on one database.

/** Second line where there are such: a server with a binary log does not let everybody make them. */
export const HAS_TRUSTED = '-- It has triggers or functions.\n';
/** Longest beginning of a line that is looked at. */
const LOOK = 4096;
const NEWLINE = 0x0a;

/** Quoted as in the sql_mode that the routine was made in; a role has no host. */
const QUOTED = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")';
const DEFINER = new RegExp(
  `^(/\\*!50003 CREATE\\*/ /\\*!50017 |/\\*!50106 CREATE\\*/ /\\*!50117 |/\\*!50013 |CREATE (?:OR REPLACE )?)DEFINER=${QUOTED}(?:@${QUOTED})? ?`,
);
const POSITION = /^-- CHANGE MASTER TO MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=([0-9]+);/;
/** What newer programs begin with, the place in the log, and the default character set that a routine was made under. */
const DROPPED = /^(?:\/\*M!999999|-- CHANGE MASTER TO |-- SET GLOBAL gtid_slave_pos|ALTER DATABASE )/;

interface State {
  /** Between DELIMITER ;; and DELIMITER ;. */
  inBlock: boolean;
  /** The line begins a statement. */
  fresh: boolean;
}

/** tell: place in the binary log, FILE:POSITION, once it is read. Holds one line's beginning and one chunk at most. */
export async function* cleaned(
  source: AsyncIterable<Uint8Array>,
  tell: (position: string) => void,
): AsyncGenerator<Uint8Array> {
  const state: State = { inBlock: false, fresh: true };
  /** Beginning of a line that is not decided on. */
  let start = Buffer.alloc(0);
  /** The rest of the line: written, or dropped. */
  let rest: 'written' | 'dropped' | undefined;
  /** Last bytes of the line, by which a statement in a block ends. */
  let tail = Buffer.alloc(0);

  for await (const chunk of source) {
    const out: Buffer[] = [];
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (bytes.length > 0) {
      const newline = bytes.indexOf(NEWLINE);
      const piece = newline < 0 ? bytes : bytes.subarray(0, newline + 1);
      bytes = bytes.subarray(piece.length);
      if (rest !== undefined) {
        if (rest === 'written') out.push(piece);
        tail = Buffer.concat([tail, piece.subarray(-8)]).subarray(-8);
      } else {
        start = Buffer.concat([start, piece]);
        if (newline < 0 && start.length < LOOK) continue;
        const kept = decided(start, state, tell);
        if (kept !== undefined) out.push(kept);
        rest = kept === undefined ? 'dropped' : 'written';
        tail = Buffer.from(start.subarray(-8));
        start = Buffer.alloc(0);
      }
      if (newline < 0) continue;
      state.fresh = !state.inBlock || /(?:;;|DELIMITER ;;?) *\n$/.test(tail.toString('latin1'));
      rest = undefined;
    }
    if (out.length > 0) yield out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }
  if (start.length > 0) yield decided(start, state, tell) ?? Buffer.alloc(0);
}

/** The same, of which no line is longer than most bytes: a statement has a line, but where it stands in a block. */
export async function* whole(
  source: AsyncIterable<Uint8Array>,
  most: number,
  tooLong: () => Error,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const last = bytes.lastIndexOf(NEWLINE);
    // What is between two line ends of one chunk is shorter than a chunk.
    const first = last < 0 ? bytes.length : bytes.indexOf(NEWLINE);
    if (length + first > most) throw tooLong();
    length = last < 0 ? length + bytes.length : bytes.length - last - 1;
    yield chunk;
  }
}

/** What of the beginning of a line is kept; undefined when the line goes. */
function decided(start: Buffer, state: State, tell: (position: string) => void): Buffer | undefined {
  // Bytes stay bytes.
  const text = start.toString('latin1');
  if (text === 'DELIMITER ;;\n') state.inBlock = true;
  if (text === 'DELIMITER ;\n') state.inBlock = false;
  if (!state.fresh) return start;
  const [, file, place] = POSITION.exec(text) ?? [];
  if (file !== undefined) tell(`${file}:${place}`);
  if (DROPPED.test(text)) return undefined;
  const found = DEFINER.exec(text);
  return found === null ? start : Buffer.from(`${found[1]}${text.slice(found[0].length)}`, 'latin1');
}
