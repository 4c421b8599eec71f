// The gates of an agent as a process of their own, for tests that kill it or look at its memory. Told by messages.
import { createFiles } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { createGateState } from './gate-state.ts';
import { createGates, type GateWish } from './gates.ts';

const [state = '', sites = '', run = '', uid = '', gid = ''] = process.argv.slice(2);
const files = createFiles(async () => ({ uid: Number(uid), gid: Number(gid) }));
const lookup = async (name: string) => ({ name, uid: Number(uid), gid: Number(gid) });
const host = { paths: { state, sites, run, logs: '', work: '' }, files, users: { lookup } } as unknown as Host;
const log = { info: () => {}, warn: (...said: unknown[]) => console.error(...said) } as never;
const gates = createGates({ host, state: createGateState(files, state), log, now: Date.now });

process.on('message', async (wish: GateWish | 'rss') => {
  if (wish === 'rss') return process.send?.({ rss: process.memoryUsage.rss() });
  try {
    const facts = await gates.set(wish);
    const plain = Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? Number(value) : value,
    ]);
    process.send?.({ facts: Object.fromEntries(plain) });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
await gates.start();
process.send?.({ ready: true });
