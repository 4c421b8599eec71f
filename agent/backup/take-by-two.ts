// A snapshot of files by two threads, once there is enough to read.
import { MessageChannel } from 'node:worker_threads';
import { endCompanion, SIGNALS } from './companion.ts';
import type { TakeFilesOrder, TakenFiles } from './take-files.ts';
import type { CallOptions, Hand, Workers } from './workers.ts';

/** hand: the first of them. */
export async function takeByTwo(
  workers: Workers,
  hand: Hand,
  order: Omit<TakeFilesOrder, 'companion'>,
  options: CallOptions,
): Promise<TakenFiles> {
  const signals = new SharedArrayBuffer(4 * SIGNALS);
  const { port1: port, port2: other } = new MessageChannel();
  let second: Promise<void> | undefined;
  const help = async () => {
    const helping = await workers.take();
    try {
      const companion = { port: other, signals };
      await helping.call('readAlong', { companion, owners: order.owners }, { ...signalOf(options), give: [other] });
    } finally {
      // Whatever it left undone the first one does.
      endCompanion(signals);
      await helping.release();
    }
  };
  try {
    return await hand.call(
      'takeFiles',
      { ...order, companion: { port, signals } },
      {
        ...options,
        give: [port],
        onWanted() {
          second = help();
          second.catch(() => {}); // the first one goes on by itself
        },
      },
    );
  } finally {
    endCompanion(signals);
    await second?.catch(() => {});
    // Those that went to a thread are its own.
    for (const each of [port, other]) each.close();
  }
}

function signalOf({ signal }: CallOptions): Pick<CallOptions, 'signal'> {
  return signal === undefined ? {} : { signal };
}
