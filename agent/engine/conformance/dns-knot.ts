// A private Knot DNS for tests: a server out there that takes updates signed with a key.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answersFor, freePort, startProgram, temporaryDirectory, updatedWorld } from './dns-daemon.ts';
import type { DnsWorld } from './dns-stage.ts';

/** Of a test's server: no secret. */
export const KNOT_SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=';

/** On an address of the loopback of its own, with the zone example.org and others, for whoever has the key "aegir". */
export async function openKnot(address: string, others: readonly string[] = []): Promise<DnsWorld> {
  const zones = ['example.org', ...others];
  const directory = await temporaryDirectory('knot');
  const port = await freePort(address);
  await mkdir(join(directory, 'db'));
  for (const zone of zones) {
    await writeFile(
      join(directory, `${zone}.zone`),
      `$ORIGIN ${zone}.
$TTL 3600
@ SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1
ns1 A 192.0.2.53
`,
    );
  }
  await writeFile(
    join(directory, 'knot.conf'),
    `server:
    rundir: "${directory}"
    listen: ${address}@${port}
database:
    storage: "${directory}/db"
key:
  - id: aegir
    algorithm: hmac-sha256
    secret: ${KNOT_SECRET}
acl:
  - id: ours
    key: aegir
    action: [transfer, update]
zone:
${zones.map((zone) => zoneText(zone, directory)).join('')}log:
  - target: stderr
    any: info
`,
  );
  const place = { address, port, key: `hmac-sha256:aegir:${KNOT_SECRET}` };
  const argv: [string, ...string[]] = ['/usr/sbin/knotd', '-c', join(directory, 'knot.conf')];
  const program = await startProgram(argv, directory, () => answersFor(place, 'example.org'));
  return updatedWorld(place, program);
}

const zoneText = (zone: string, directory: string): string => `  - domain: ${zone}
    storage: "${directory}"
    file: ${zone}.zone
    zonefile-sync: -1
    acl: ours
`;
