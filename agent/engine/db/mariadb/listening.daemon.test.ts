// What planListening asks, asked of a real server: its address, and whether accounts of somebody need look-ups of names.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { contextOf, summaries } from '../../conformance/interruption.ts';
import { createClient } from './client.ts';
import { LOOK, MARIADB } from './dialect.ts';
import { planListening } from './listening.ts';
import { account, dropAccount } from './sql.ts';

const ADDRESS = '127.0.36.9';
let dir: string;
let host: Host;
let daemon: Daemon;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-listen-'));
  await chmod(dir, 0o755);
  // A free port of this address is any: no other program has the address.
  const ports = { nginx: 1, mariadb: 3306 };
  const options = { dir: join(dir, 'host'), hostname: 'db.test', address: ADDRESS, ports };
  host = await createEmbeddedHost({ ...options, daemons: ['mariadb'] });
  const found = await host.daemon('mariadb');
  if (found === undefined) throw new Error('the host under test has no MariaDB');
  daemon = found;
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

it('finds a server on the loopback, and plans to let it listen', async () => {
  // The same server as a systemd host would show it; nothing is run.
  const shown: Host = { ...host, kind: 'systemd' };
  const planned = await planListening(createClient(host, daemon, MARIADB), daemon, MARIADB, contextOf(shown));
  expect(summaries(planned)).toEqual([
    `let MariaDB listen on all addresses and restart it (it listened on ${ADDRESS})`,
  ]);
});

it.each([
  ['nobody', '', '0'],
  ['a site of ours', 's_0000000000000001@localhost', '0'],
  ['a site of ours from an address', 's_0000000000000001@192.0.2.1', '0'],
  ['somebody from an address', 'shop@192.0.2.1', '0'],
  ['somebody from an IPv6 address', 'shop@2001:db8::fade', '0'],
  ['somebody from a pattern of addresses', 'shop@192.0.2.%', '0'],
  ['somebody from everywhere', 'shop@%', '0'],
  ['somebody from the host itself', 'shop@localhost', '1'],
  ['somebody from a host name', 'shop@web.example.org', '1'],
  ['somebody from a host name of few letters', 'shop@a.be', '1'],
  ['somebody from a domain', 'shop@%.example.org', '1'],
])('look-ups for accounts of %s (%s): %s', async (_what, who, needed) => {
  const client = createClient(host, daemon, MARIADB);
  const [user = '', from = ''] = who.split('@');
  if (user !== '') await client.query(`CREATE USER ${account(user, from)};`, 'make an account');
  try {
    expect(await client.query(LOOK, 'look')).toEqual([[ADDRESS, needed]]);
  } finally {
    if (user !== '') await client.query(dropAccount(user, from), 'drop an account');
  }
});
