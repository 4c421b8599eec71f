import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import type { CommandResult, Host } from '../../../host/host.ts';
import { createClient } from './client.ts';
import { MARIADB } from './dialect.ts';

async function clientOn(result: Partial<CommandResult>, kind: Host['kind'] = 'systemd') {
  const host = createFakeHost({
    daemons: [{ name: 'mariadb', socket: '/run/mysqld/mysqld.sock', user: 'runner' }],
    answer: () => result,
  });
  const daemon = await host.daemon('mariadb');
  if (daemon === undefined) throw new Error('the fake has no MariaDB');
  return { client: createClient({ ...host, kind }, daemon, MARIADB), commands: host.commands };
}

describe('the client', () => {
  it.each([
    ['', []],
    ['a\tb\n', [['a', 'b']]],
    ['a\t\n', [['a', '']]],
    ['a\nb\n', [['a'], ['b']]],
    ['NULL\t\\N\n', [[null, null]]],
    ['t\\tn\\nb\\\\z\\0\n', [['t\tn\nb\\z\0']]],
    ['{"a":"\\\\\\"b"}\n', [['{"a":"\\"b"}']]],
  ])('reads %j', async (stdout, rows) => {
    const { client } = await clientOn({ stdout });
    expect(await client.query('SELECT 1;', 'look')).toEqual(rows);
  });

  it.each([
    ['systemd', '--user=root'],
    ['embedded', '--user=runner'],
  ] as const)('gives its SQL on standard input, on a %s host as %s', async (kind, user) => {
    const { client, commands } = await clientOn({}, kind);
    await client.query("SELECT 'secret';", 'look');
    const [command] = commands;
    expect(command?.input).toBe("SELECT 'secret';");
    expect(command?.argv).toContain(user);
    expect(command?.argv[1]).toBe('--no-defaults');
    expect(JSON.stringify([command?.argv, command?.env])).not.toContain('secret');
  });

  it.each([
    ["ERROR 2002 (HY000): Can't connect", 'unavailable', /does not answer on \/run\/mysqld\/mysqld.sock; start it/],
    ['ERROR 2013 (HY000): Lost connection', 'unavailable', /ended in the middle/],
    ['ERROR 2026 (HY000): TLS/SSL error', 'internal', /error 2026/],
    ['ERROR 1040 (08004): Too many connections', 'unavailable', /too many connections/],
    ["ERROR 1698 (28000): Access denied for user 'root'", 'permission_denied', /unix_socket/],
    ['ERROR 1045 (28000): Access denied', 'permission_denied', /unix_socket/],
    ['ERROR 1030 (HY000) at line 1: Got error 28 "No space left on device"', 'resource_exhausted', /full/],
    ['ERROR 3 (HY000): Error writing file (Errcode: 28)', 'resource_exhausted', /full/],
    ['ERROR 1290 (HY000): read-only', 'failed_precondition', /read-only/],
    ["ERROR 1064 (42000): syntax near 'secret'", 'internal', /error 1064/],
    ['nothing known', 'internal', /error 0/],
  ])('says of %j: %s', async (stderr, code, says) => {
    const { client } = await clientOn({ code: 1, stderr });
    const asked = client.query("SELECT 'secret';", 'do a thing');
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
    await expect(asked).rejects.toThrow(/^cannot do a thing: (?!.*secret)/);
  });

  it('keeps hashes out of causes, which are logged', async () => {
    const hash = `*${'0123456789ABCDEF'.repeat(3).slice(0, 40)}`;
    const { client } = await clientOn({ code: 1, stderr: `ERROR 1064 (42000): near '${hash}'` });
    const failed = await client.query('SELECT 1;', 'look').catch((thrown: Error) => thrown);
    expect(failed).toMatchObject({ cause: "ERROR 1064 (42000): near '*…'" });
  });
});
