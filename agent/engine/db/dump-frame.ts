// What every dump begins and ends with, so that one that is none of ours is refused before anything is lost, and one that
// was cut is known.
import { AegirError } from '../../../shared/error.ts';

/** First line of a dump. */
export const HEAD = '-- Database of a site, dumped by Aegir.\n';
/** Last line: what lacks it was cut. */
export const TAIL = '-- End of the dump.\n';

/** As much of the beginning as is looked at before the rest. */
const LOOK = 1024;

export interface Framed {
  /** Its beginning, at most 1 KiB. Throws when it is no dump of ours; nothing else is read then. */
  head(): Promise<string>;
  /** All of it, the beginning too. */
  all(): AsyncIterable<Uint8Array>;
  /** It will not be read. */
  leave(): Promise<void>;
  /** Throws when what was read did not end as a dump does, or was not read to its end. */
  assertWhole(): void;
}

export function framed(dump: AsyncIterable<Uint8Array>, database: string): Framed {
  const chunks = dump[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let end = '';
  let isOver = false;
  const next = async (): Promise<Uint8Array | undefined> => {
    const { done, value } = await chunks.next();
    if (done === true) {
      isOver = true;
      return undefined;
    }
    end = (end + Buffer.from(value.subarray(-TAIL.length)).toString('latin1')).slice(-TAIL.length);
    return value;
  };
  const leave = async (): Promise<void> => {
    await chunks.return?.();
  };
  return {
    async head() {
      let bytes = 0;
      while (bytes < LOOK) {
        const chunk = await next();
        if (chunk === undefined) break;
        first.push(chunk);
        bytes += chunk.length;
      }
      const text = Buffer.concat(first).subarray(0, LOOK).toString('latin1');
      if (text.startsWith(HEAD)) return text;
      await leave();
      const why = `cannot restore database ${database}: that is no dump of Aegir's`;
      throw new AegirError('failed_precondition', why, { untouched: true });
    },
    async *all() {
      try {
        yield* first;
        for (let chunk = isOver ? undefined : await next(); chunk !== undefined; chunk = await next()) yield chunk;
      } finally {
        if (!isOver) await leave();
      }
    },
    leave,
    assertWhole() {
      if (isOver && end === TAIL) return;
      const text = `cannot restore database ${database}: the dump was cut; restore it again, from another one if need be`;
      throw new AegirError('data_loss', text);
    },
  };
}
