// A look at a site's files, a snapshot of them, or what puts them back, by two threads, once there is enough to do.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Companion, endCompanion, SIGNALS } from './companion.ts';
import type { Owners } from './tree.ts';
import type { Workers } from './workers.ts';

/**
 * act: calls the first thread with one end, which it is given away with the order, as the options say. The second begins
 * when the first wants it.
 */
export async function byTwo<T>(
  workers: Workers,
  owners: Owners,
  signal: AbortSignal | undefined,
  act: (companion: Companion, options: { readonly give: MessagePort[]; readonly onWanted: () => void }) => Promise<T>,
): Promise<T> {
  const signals = new SharedArrayBuffer(4 * SIGNALS);
  const { port1: port, port2: other } = new MessageChannel();
  let second: Promise<void> | undefined;
  const help = async () => {
    const helping = await workers.take();
    try {
      const companion = { port: other, signals };
      const stopping = signal === undefined ? {} : { signal };
      await helping.call('readAlong', { companion, owners }, { ...stopping, give: [other] });
    } finally {
      // Whatever it left undone the first one does.
      endCompanion(signals);
      await helping.release();
    }
  };
  const onWanted = () => {
    second = help();
    second.catch(() => {}); // the first one goes on by itself
  };
  try {
    return await act({ port, signals }, { give: [port], onWanted });
  } finally {
    endCompanion(signals);
    await second?.catch(() => {});
    // Those that went to a thread are its own.
    for (const each of [port, other]) each.close();
  }
}
