// Which servers are let listen, and what is left of a change that failed: on a host in memory, since a real server would
// listen on all addresses.
import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import type { Host } from '../../../host/host.ts';
import { contextOf, summaries } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { createPostgresqlEngine } from './engine.ts';

const NAME = 'postgresql@15-main';
const service = {
  id: 'svc-1',
  serverId: 'srv-1',
  type: 'db',
  engine: 'postgresql',
  version: '',
  settings: {},
  secrets: {},
  instance: '15-main',
};
const FILE = '/etc/postgresql/15/main/conf.d/90-aegir.conf';
const engine = createPostgresqlEngine();
const plan = (host: Host, instance = '15-main') => engine.prepare({ ...service, instance }, contextOf(host));

/** A server that listens where its files say once it is restarted. */
function server(
  start: string,
  more: { deaf?: boolean; configured?: string; unreadable?: boolean; restart?: () => void; kind?: 'embedded' } = {},
) {
  let addresses = start;
  const host = createFakeHost({
    daemons: [
      {
        name: NAME,
        includeDir: '/etc/postgresql/15/main/conf.d',
        socket: '/var/run/postgresql/.s.PGSQL.5432',
        restart: async () => {
          host.acts.push('restart');
          more.restart?.();
          if (more.deaf !== true) addresses = host.tree.has(FILE) ? '*' : start;
        },
      },
    ],
    answer: ({ argv }) => {
      if (argv[1] !== '-C') return { stdout: `${JSON.stringify(addresses)}\n` };
      return more.unreadable === true ? { code: 1 } : { stdout: `${more.configured ?? '*'}\n` };
    },
  });
  return more.kind === undefined ? host : { ...host, kind: more.kind };
}

describe('a server', () => {
  it.each(['*', '0.0.0.0', '192.0.2.1', 'localhost, 192.0.2.1', ''])(
    'that listens on %j is left as it is',
    async (on) => {
      const host = server(on);
      expect(summaries(await plan(host))).toEqual([]);
      expect(host.acts).toEqual([]);
    },
  );

  it('that listens on the loopback listens on all addresses afterwards, once', async () => {
    const host = server('localhost');
    const changes = await plan(host);
    expect(summaries(changes)).toEqual([
      'let PostgreSQL listen on all addresses and restart it (it listened on localhost)',
    ]);
    expect(await host.files.exists(FILE)).toBe(false);
    await runChanges(changes, contextOf(host));
    expect(await host.files.read(FILE)).toMatch(/^listen_addresses = '\*'$/m);
    expect(host.acts).toEqual(['restart']);
    expect(await plan(host)).toEqual([]);
  });

  it.each([undefined, '# mine\n'])('that does not start so gets its former file back (%j)', async (before) => {
    let failures = 1;
    const restart = () => {
      if (failures-- > 0) throw new Error('does not start');
    };
    const host = server('localhost', { restart });
    if (before !== undefined) await host.files.write(FILE, before, { mode: 0o644 });
    await expect(runChanges(await plan(host), contextOf(host))).rejects.toThrow('does not start');
    expect(await host.files.read(FILE)).toBe(before);
    expect(host.acts).toEqual(['restart', 'restart']);
  });

  it.each([{ configured: 'localhost' }, { unreadable: true }])(
    'that would not listen is not restarted, and says so: %j',
    async (more) => {
      const host = server('localhost', more);
      await expect(runChanges(await plan(host), contextOf(host))).rejects.toThrow(
        /though .*90-aegir.conf says otherwise/,
      );
      expect(await host.files.exists(FILE)).toBe(false);
      expect(host.acts).toEqual([]);
    },
  );

  it('that its arguments keep on the loopback says so', async () => {
    const host = server('127.0.0.1', { deaf: true });
    await expect(runChanges(await plan(host), contextOf(host))).rejects.toThrow(/it listens on 127.0.0.1 though/);
  });

  it('of an embedded host listens where that host says', async () => {
    expect(await plan(server('127.0.0.1', { kind: 'embedded' }))).toEqual([]);
  });
});

describe('which of several clusters', () => {
  const host = createFakeHost({ daemons: [{ name: NAME }, { name: 'postgresql@16-main' }] });

  it('is said by the service', async () => {
    await plan(host, '16-main').catch(() => {});
    expect(host.commands.at(-1)?.argv[0]).toContain('psql');
    await expect(plan(host, '17-main')).rejects.toThrow(/no cluster 17-main of PostgreSQL.*pg_createcluster/);
  });

  it('is not guessed for a master that says nothing', async () => {
    await expect(plan(host, '')).rejects.toThrow(/several clusters of PostgreSQL, 16-main, 15-main; update the master/);
    await expect(plan(createFakeHost(), '')).rejects.toThrow(/PostgreSQL is not installed.*install postgresql/);
    expect(summaries(await plan(server('localhost'), ''))).toHaveLength(1);
  });
});
