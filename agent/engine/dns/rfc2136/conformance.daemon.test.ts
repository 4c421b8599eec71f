// rfc2136 as one of the dns engines: the suite of its type against a private Knot DNS.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeDnsEngine } from '../../conformance/dns.ts';
import {
  answersFor,
  freePort,
  realHost,
  startProgram,
  temporaryDirectory,
  updatedWorld,
} from '../../conformance/dns-daemon.ts';
import type { DnsSubject, DnsWorld } from '../../conformance/dns-stage.ts';
import { createRfc2136Engine } from './engine.ts';

const SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=';
const ADDRESS = '127.53.7.1';
const WITHIN_MS = 4000;

const subject: DnsSubject = {
  name: 'rfc2136',
  openWorld: openKnot,
  createEngine: () => createRfc2136Engine({ withinMs: WITHIN_MS }),
  createHost: async () => realHost(),
  declare: ({ address }) => ({
    settings: { server: address, 'key-name': 'aegir', zones: 'example.org' },
    secrets: { key: SECRET },
  }),
  declaredOnly: true,
  remembers: true,
  patienceMs: WITHIN_MS + 3000,
};

describeDnsEngine(subject);

async function openKnot(): Promise<DnsWorld> {
  const directory = await temporaryDirectory('knot');
  const port = await freePort(ADDRESS);
  await mkdir(join(directory, 'db'));
  await writeFile(
    join(directory, 'example.org.zone'),
    `$ORIGIN example.org.
$TTL 3600
@ SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1
ns1 A 192.0.2.53
`,
  );
  await writeFile(
    join(directory, 'knot.conf'),
    `server:
    rundir: "${directory}"
    listen: ${ADDRESS}@${port}
database:
    storage: "${directory}/db"
key:
  - id: aegir
    algorithm: hmac-sha256
    secret: ${SECRET}
acl:
  - id: ours
    key: aegir
    action: [transfer, update]
zone:
  - domain: example.org
    storage: "${directory}"
    file: example.org.zone
    zonefile-sync: -1
    acl: ours
log:
  - target: stderr
    any: info
`,
  );
  const place = { address: ADDRESS, port, key: `hmac-sha256:aegir:${SECRET}` };
  const argv: [string, ...string[]] = ['/usr/sbin/knotd', '-c', join(directory, 'knot.conf')];
  const program = await startProgram(argv, directory, () => answersFor(place, 'example.org'));
  return updatedWorld(place, program);
}
