// rfc2136 as one of the dns engines, once more: the suite of its type against a private BIND, which judges updates in its
// own way, with a key of another algorithm.
// @module-tag deep
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeDnsEngine } from '../../conformance/dns.ts';
import {
  answersFor,
  freePort,
  realHost,
  startProgram,
  temporaryDirectory,
  updatedWorld,
} from '../../conformance/dns-daemon.ts';
import type { DnsWorld } from '../../conformance/dns-stage.ts';
import { contextOf } from '../../conformance/interruption.ts';
import type { Engine, Preparing } from '../../engine.ts';
import { createRfc2136Engine } from './engine.ts';

const SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTIzNDU2Nzg=';
/** named hears on addresses of interfaces only. */
const ADDRESS = '127.0.0.1';
const WITHIN_MS = 4000;

describeDnsEngine({
  name: 'rfc2136',
  openWorld,
  createEngine: () => createRfc2136Engine({ withinMs: WITHIN_MS }),
  createHost: async () => realHost(),
  declare: ({ address }) => ({
    settings: { server: address, 'key-name': 'aegir', 'key-algorithm': 'hmac-sha512', zones: 'example.org' },
    secrets: { key: SECRET },
  }),
  declaredOnly: true,
  remembers: true,
  patienceMs: WITHIN_MS + 3000,
});

it('is tried before it is enabled, also where nobody says which zones it has', async () => {
  const world = await openWorld();
  try {
    const engine = createRfc2136Engine({ withinMs: WITHIN_MS }) as Engine<'dns'> & Preparing;
    const service = { id: '', serverId: '', type: 'dns', engine: 'rfc2136', version: '', instance: '' };
    const settings = { server: world.address, 'key-name': 'aegir', 'key-algorithm': 'hmac-sha512' };
    const ctx = contextOf(realHost());
    const prepared = (key: string, named = 'aegir') =>
      engine.prepare({ ...service, settings: { ...settings, 'key-name': named }, secrets: { key } }, ctx);
    expect(await prepared(SECRET)).toEqual([]);
    await expect(prepared(SECRET, 'unknown')).rejects.toThrow(/does not take our key: it does not know the key/);
    const other = Buffer.from('another secret').toString('base64');
    await expect(prepared(other)).rejects.toThrow(/^(?!.*YW5vdGhl).*does not take our key: the secret of the key/);
  } finally {
    await world.close();
  }
});

async function openWorld(): Promise<DnsWorld> {
  const directory = await temporaryDirectory('named');
  const port = await freePort(ADDRESS);
  await writeFile(
    join(directory, 'example.org.zone'),
    '$TTL 3600\n@ SOA ns.example.com. a.example.com. 1 7200 3600 1209600 1\n@ NS ns.example.com.\n',
  );
  await writeFile(
    join(directory, 'named.conf'),
    `options {
  directory "${directory}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { ${ADDRESS}; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  notify no;
};
controls { };
key "aegir" { algorithm hmac-sha512; secret "${SECRET}"; };
zone "example.org" {
  type primary;
  file "example.org.zone";
  check-integrity no;
  allow-update { key "aegir"; };
  allow-transfer { key "aegir"; };
};
`,
  );
  const place = { address: ADDRESS, port, key: `hmac-sha512:aegir:${SECRET}` };
  const argv: [string, ...string[]] = ['/usr/sbin/named', '-g', '-c', join(directory, 'named.conf')];
  const program = await startProgram(argv, directory, () => answersFor(place, 'example.org'));
  return updatedWorld(place, program);
}
