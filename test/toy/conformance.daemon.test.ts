// The toy engine passes its type's suite as it stands.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { describeDnsEngine } from '../../agent/engine/conformance/dns.ts';
import { createFakeHost } from '../../agent/host/fake.ts';
import { createToyEngine } from './engine.ts';
import { startToy, type ToyWorld } from './world.ts';

let toy: ToyWorld;
beforeAll(async () => {
  toy = await startToy('127.53.20.1', 'example.org');
});
afterAll(() => toy?.close());

describeDnsEngine({
  name: 'toy',
  openWorld: async () => ({
    ...toy,
    // One process for all: what was in it goes.
    async close() {
      toy.silence(false);
      for (const line of await toy.everything()) await toy.remove(line.split(' ')[0] ?? '');
    },
  }),
  createEngine: () => createToyEngine({ withinMs: 1500 }),
  async createHost(world) {
    const host = createFakeHost();
    const said = readFileSync((world as ToyWorld).announced);
    await host.files.write(join(host.paths.run, 'toy-dns.json'), said, { mode: 0o644 });
    return host;
  },
  remembers: true,
  patienceMs: 3000,
});
