// A worker that swaps two names for each other again and again, as the code of a site could: at no time is there none.
// Ends when the first of its numbers is not 0, and counts in the second.
import { dlopen } from 'node:ffi';
import { workerData } from 'node:worker_threads';

const { one, other, state } = workerData as { one: string; other: string; state: SharedArrayBuffer };
const [HERE, EXCHANGE] = [-100, 2]; // AT_FDCWD, RENAME_EXCHANGE
const { functions } = dlopen('libc.so.6', {
  renameat2: { return: 'i32', arguments: ['i32', 'pointer', 'i32', 'pointer', 'u32'] },
});
const [from, to] = [Buffer.from(`${one}\0`), Buffer.from(`${other}\0`)];
const told = new Int32Array(state);
while (Atomics.load(told, 0) === 0) {
  if (functions.renameat2(HERE, from, HERE, to, EXCHANGE) === 0) Atomics.add(told, 1, 1);
}
