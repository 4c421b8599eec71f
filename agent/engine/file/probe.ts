// The proof that a file service works: an object is written, seen, read back, replaced and removed through the same
// interface that backups use.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../../shared/error.ts';
import type { ObjectStore } from '../engine.ts';

const SIZE = 64 * 1024;

/** What was done and how long each part took, one line. Throws at the first thing that is not as it must be. */
export async function probeStore(open: () => Promise<ObjectStore>, now: () => number): Promise<string> {
  const steps: string[] = [];
  const timed = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const from = now();
    const answer = await act();
    steps.push(`${what} in ${Math.round(now() - from)} ms`);
    return answer;
  };
  const name = `aegir-probe/${randomBytes(8).toString('hex')}`;
  const content = randomBytes(SIZE);

  const writer = await timed('opened', open);
  let written = false;
  try {
    await timed(`wrote ${SIZE} bytes as ${name}`, async () => {
      written = true;
      await writer.put(name, [content.subarray(0, 1000), content.subarray(1000)]);
      await writer.flush();
    });
  } catch (thrown) {
    if (written) await writer.remove(name).then(writer.flush, () => {});
    throw thrown;
  } finally {
    await writer.close();
  }

  // By a connection of its own: it must be there for others.
  const reader = await open();
  try {
    try {
      await timed('read them back', async () => {
        const pieces: Uint8Array[] = [];
        for await (const piece of reader.get(name)) pieces.push(piece);
        if (!content.equals(Buffer.concat(pieces))) throw unlike('what was read back is not what was written');
      });
      const seen = await timed('listed them', () => names(reader, 'aegir-probe/'));
      if (!seen.includes(name)) throw unlike('what was written is not listed');
    } finally {
      await timed('removed them', async () => {
        await reader.remove(name);
        await reader.flush();
      });
    }
    if ((await reader.stat(name)) !== undefined) throw unlike('what was removed is still there');
  } finally {
    await reader.close();
  }
  return steps.join(', ');
}

async function names(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name } of store.list(prefix)) found.push(name);
  return found;
}

function unlike(why: string): AegirError {
  return new AegirError('data_loss', `cannot trust the store: ${why}`);
}
