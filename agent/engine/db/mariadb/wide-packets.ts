// Lets one program send statements as long as any server takes, whatever max_allowed_packet is: a dump has each row as one
// statement, in which bytes take twice their room, so that a row which the server holds may be longer than it takes.
// A connection keeps the length that was in force when it began (MariaDB manual, "max_allowed_packet").
import { setTimeout as pause } from 'node:timers/promises';
import type { Serial } from '../../../host/serial.ts';
import type { ActionContext } from '../../engine.ts';
import type { Client } from './client.ts';

/** As much as any server and client takes. */
export const MOST_PACKET = 1024 ** 3;
const LOOK_MS = 100;

export interface Wide {
  readonly client: Client;
  /** One at a time on a server: each finds what its administrator has set. */
  readonly inTurn: Serial;
  /** Account that the program connects as, of which nobody else does. */
  readonly user: string;
  readonly doing: string;
}

/**
 * Resolves with what begin does, which runs the program. The server's own bound is back once that has connected; an agent that
 * dies before leaves it up until the server starts again.
 */
export async function withWidePackets<T>(
  { client, inTurn, user, doing }: Wide,
  begin: () => Promise<T>,
  ctx: ActionContext,
): Promise<T> {
  const set = (bytes: number | string) => client.query(`SET GLOBAL max_allowed_packet = ${bytes};`, doing);
  const isConnected = async () => {
    const [row] = await client.query(
      `SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '${user}';`,
      doing,
    );
    return row?.[0] !== '0';
  };
  // Where the server does not answer, what the program says of it counts.
  const waits = () =>
    isConnected().then(
      (is) => !is,
      () => false,
    );
  const begun = await inTurn(async () => {
    const [row] = await client.query('SELECT @@GLOBAL.max_allowed_packet;', doing, ctx.signal);
    const before = Number(row?.[0]);
    if (before >= MOST_PACKET) return { done: begin() };
    await set(MOST_PACKET);
    ctx.failpoint('agent.db.packets-wide');
    try {
      let isOver = false;
      const done = begin().finally(() => {
        isOver = true;
      });
      done.catch(() => {}); // told to who waits for it below
      while (!isOver && (await waits())) await pause(LOOK_MS);
      return { done };
    } finally {
      await set(before).catch((thrown: Error) => ctx.log('warn', thrown.message));
    }
  });
  return begun.done;
}
