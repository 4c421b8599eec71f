import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import type { CommandResult, Host } from '../../../host/host.ts';
import { createClient } from './client.ts';

const SOCKET = '/var/run/postgresql/.s.PGSQL.5433';

async function clientOn(result: Partial<CommandResult>, kind: Host['kind'] = 'systemd') {
  const facts = { program: '/usr/lib/postgresql/15/bin/postgres', socket: SOCKET, user: 'postgres' };
  const host = createFakeHost({ daemons: [{ name: 'postgresql@15-main', ...facts }], answer: () => result });
  const daemon = await host.daemon('postgresql@15-main');
  if (daemon === undefined) throw new Error('the fake has no PostgreSQL');
  return { client: createClient({ ...host, kind }, daemon), commands: host.commands };
}

describe('the client', () => {
  it.each([
    ['', []],
    ['"a"\n', ['a']],
    ['{"a":null,"b":["\\n\\u001f"]}\n1\n', [{ a: null, b: ['\n\x1f'] }, 1]],
  ])('reads %j', async (stdout, rows) => {
    const { client } = await clientOn({ stdout });
    expect(await client.query('SELECT 1;', 'look')).toEqual(rows);
  });

  it('gives its SQL on standard input, after settings of its own, to the server’s own psql as its administrator', async () => {
    const { client, commands } = await clientOn({});
    await client.query("SELECT 'secret';", 'look', { database: 'site_1' });
    const [command] = commands;
    expect(command?.user).toBe('postgres');
    expect(command?.input).toMatch(/^SET search_path = pg_catalog, pg_temp;\n[\s\S]*\nSELECT 'secret';\n$/);
    expect(command?.argv[0]).toBe('/usr/lib/postgresql/15/bin/psql');
    expect(command?.argv).toEqual(
      expect.arrayContaining([
        '--no-psqlrc',
        '--host=/var/run/postgresql',
        '--port=5433',
        "--dbname=dbname='site_1' options='-c statement_timeout=0'",
      ]),
    );
    expect(JSON.stringify([command?.argv, command?.env])).not.toContain('secret');
  });

  it.each([
    [
      2,
      'connection to server on socket "/x" failed: No such file or directory',
      'unavailable',
      /does not answer on \/var\/run\/postgresql\/\.s\.PGSQL\.5433; start it, for example: systemctl start postgresql@15-main$/,
    ],
    [2, 'connection to server on socket "/x" failed: FATAL:  eine andere Sprache', 'unavailable', /does not answer/],
    [2, 'failed: FATAL:  Peer authentication failed for user "postgres"', 'permission_denied', /peer/],
    [2, 'failed: FATAL:  role "root" does not exist', 'permission_denied', /peer/],
    [2, 'failed: FATAL:  no pg_hba.conf entry for host "[local]"', 'permission_denied', /pg_hba.conf/],
    [2, 'failed: FATAL:  sorry, too many clients already', 'unavailable', /too many connections/],
    [2, 'failed: FATAL:  the database system is starting up', 'unavailable', /starting or shutting down/],
    [2, 'server closed the connection unexpectedly', 'unavailable', /ended in the middle/],
    [3, 'psql:<stdin>:9: ERROR:  53100', 'resource_exhausted', /full/],
    [3, 'psql:<stdin>:9: ERROR:  25006', 'failed_precondition', /read-only/],
    [3, 'psql:<stdin>:9: ERROR:  42501', 'permission_denied', /superuser/],
    [3, 'psql:<stdin>:9: ERROR:  55006', 'failed_precondition', /prepared transaction/],
    [3, 'psql:<stdin>:9: FATAL:  57P01', 'unavailable', /ended in the middle/],
    [3, 'psql:<stdin>:9: ERROR:  42601', 'internal', /error 42601/],
    [1, 'nothing known', 'internal', /error 1/],
  ])('says of %i, %j: %s', async (code, stderr, kind, says) => {
    const { client } = await clientOn({ code, stderr });
    const asked = client.query("SELECT 'secret';", 'do a thing');
    await expect(asked).rejects.toMatchObject({ code: kind, message: expect.stringMatching(says) });
    await expect(asked).rejects.toThrow(/^cannot do a thing: (?!.*secret)/);
  });

  it('keeps verifiers out of causes, which are logged', async () => {
    const { client } = await clientOn({ code: 3, stderr: "near 'SCRAM-SHA-256$4096:YQ==$YQ==:YQ=='" });
    const failed = await client.query('SELECT 1;', 'look').catch((thrown: Error) => thrown);
    expect(failed).toMatchObject({ cause: "near 'SCRAM-SHA-256$…'" });
  });
});
