import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../fake.ts';
import type { Command, CommandResult } from '../host.ts';
import { createSerial } from '../serial.ts';
import { installedAs } from './host.ts';
import { addressesOf, clustersIn, createPostgresql, socketOf } from './postgresql.ts';
import { createSystemctl } from './systemctl.ts';

const PROGRAM = '/usr/lib/postgresql/15/bin/postgres';
const SETTINGS: Record<string, string> = {
  listen_addresses: 'localhost',
  port: '5433',
  unix_socket_directories: '/var/run/postgresql, /tmp',
};

function clusterOn(answer: (command: Command) => Partial<CommandResult>) {
  const ran: Command[] = [];
  const run = async (command: Command): Promise<CommandResult> => {
    ran.push(command);
    return { code: 0, stdout: '', stderr: '', ...answer(command) };
  };
  const systemctl = createSystemctl(run);
  const made = createPostgresql({ instance: '15-main', program: PROGRAM, run, systemctl, serial: createSerial() });
  return { made, ran };
}

describe('a cluster of Debian', () => {
  it('is found by its configuration, newest version first, whatever else lies there', async () => {
    const { files, tree } = createFakeHost();
    const file = { kind: 'file' as const, mode: 0o644, content: '' };
    for (const place of ['9/old', '15/main', '15/second', '16/main', 'etc/main', '15/a b']) {
      tree.set(`/etc/postgresql/${place}/postgresql.conf`, file);
    }
    tree.set('/etc/postgresql/15/no-conf/pg_hba.conf', file);
    expect(await clustersIn(files)).toEqual(['16-main', '15-main', '15-second', '9-old']);
  });

  it('has its program and unit by version and name', () => {
    expect(installedAs('postgresql@15-main')).toEqual({ program: PROGRAM, unit: 'postgresql@15-main.service' });
    expect(() => installedAs('postgresql@15/../x')).toThrow(/a cluster like postgresql@15-main/);
  });

  it('is where its configuration says, asked as its administrator', async () => {
    const { made, ran } = clusterOn(({ argv }) => ({ stdout: `${SETTINGS[argv[2] ?? '']}\n` }));
    expect(await made).toMatchObject({
      name: 'postgresql@15-main',
      addresses: ['localhost'],
      port: 5433,
      socket: '/var/run/postgresql/.s.PGSQL.5433',
      includeDir: '/etc/postgresql/15/main/conf.d',
      user: 'postgres',
    });
    expect(ran.map(({ user }) => user)).toEqual(['postgres', 'postgres', 'postgres']);
    expect(ran[0]?.argv.at(-1)).toBe('config_file=/etc/postgresql/15/main/postgresql.conf');
  });

  it('with a configuration that cannot be read says so', async () => {
    const { made } = clusterOn(() => ({ code: 1, stderr: 'FATAL: syntax error\n' }));
    await expect(made).rejects.toThrow(/cannot read the configuration of postgresql@15-main: FATAL: syntax error/);
  });

  it('is told of a reload by its own client, and waits until a new connection knows of it', async () => {
    let asked = 0;
    const { made, ran } = clusterOn(({ argv, input }) => {
      if (argv[0] === 'systemctl') return { stdout: 'LoadState=loaded\nActiveState=active\nMainPID=9\n' };
      if (String(input).includes('pg_conf_load_time')) {
        asked += 1;
        return {
          stdout: `${asked > 2 ? 2 : 1}
`,
        };
      }
      return { stdout: `${SETTINGS[argv[2] ?? ''] ?? ''}\n` };
    });
    await (await made).reload();
    expect(asked).toBe(3);
    const client = ran.filter(({ argv }) => argv[0].endsWith('/psql'));
    expect(client.map(({ user }) => user)).toEqual(['postgres', 'postgres', 'postgres', 'postgres']);
    expect(client[0]?.argv).toEqual(expect.arrayContaining(['--host=/var/run/postgresql', '--port=5433']));
  });
});

it.each([
  ['localhost', ['localhost']],
  ['*', ['0.0.0.0', '::']],
  ['192.0.2.1, 2001:db8::1', ['192.0.2.1', '2001:db8::1']],
  ['', []],
])('listen_addresses %j are %j', (listen, addresses) => expect(addressesOf(listen)).toEqual(addresses));

it.each([
  ['/run/postgresql', '/run/postgresql/.s.PGSQL.5432'],
  ['@abstract, "/srv/my sockets"', '/srv/my sockets/.s.PGSQL.5432'],
  ['', '/var/run/postgresql/.s.PGSQL.5432'],
])('unix_socket_directories %j have the socket %s', (directories, socket) => {
  expect(socketOf(directories, 5432)).toBe(socket);
});
