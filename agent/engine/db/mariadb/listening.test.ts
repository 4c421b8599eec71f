// Which servers are let listen, and what is left of a change that failed: on a host in memory, since a real server would
// listen on all addresses.
import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import type { Host } from '../../../host/host.ts';
import { contextOf, summaries } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { createMariadbEngine } from './engine.ts';

const service = {
  id: 'svc-1',
  serverId: 'srv-1',
  type: 'db',
  engine: 'mariadb',
  version: '',
  instance: '',
  settings: {},
  secrets: {},
};
const FILE = '/etc/mariadb/conf.d/90-aegir.cnf';
const engine = createMariadbEngine();
const plan = (host: Host) => engine.prepare(service, contextOf(host));

/** A server that listens where its files say once it is restarted. */
function server(
  start: string,
  more: { names?: boolean; deaf?: boolean; configured?: string; restart?: () => void; kind?: 'embedded' } = {},
) {
  let address = start;
  const host = createFakeHost({
    daemons: [
      {
        name: 'mariadb',
        includeDir: '/etc/mariadb/conf.d',
        socket: '/run/mysqld/mysqld.sock',
        restart: async () => {
          host.acts.push('mariadb restart');
          more.restart?.();
          if (more.deaf !== true) address = host.tree.has(FILE) ? '*' : start;
        },
      },
    ],
    answer: ({ argv }) =>
      argv.includes('--print-defaults')
        ? {
            stdout: `mariadbd would have been started with:\n${more.configured ?? '--bind-address=127.0.0.1 --bind-address=*'}\n`,
          }
        : { stdout: `${address}\t${more.names ? 1 : 0}\n` },
  });
  return more.kind === undefined ? host : { ...host, kind: more.kind };
}

describe('a server', () => {
  it.each(['*', '0.0.0.0', '192.0.2.1', ''])('that listens on %j is left as it is', async (address) => {
    const host = server(address);
    expect(summaries(await plan(host))).toEqual([]);
    expect(host.acts).toEqual([]);
  });

  it('that listens on the loopback listens on all addresses afterwards, once', async () => {
    const host = server('127.0.0.1');
    const changes = await plan(host);
    expect(summaries(changes)).toEqual([
      'let MariaDB listen on all addresses and restart it (it listened on 127.0.0.1)',
    ]);
    expect(await host.files.exists(FILE)).toBe(false);
    await runChanges(changes, contextOf(host));
    expect(await host.files.read(FILE)).toMatch(/\[mariadbd\]\nbind-address = \*\n[\s\S]*skip-name-resolve\n$/);
    expect(host.acts).toEqual(['mariadb restart']);
    expect(await plan(host)).toEqual([]);
  });

  it('goes on looking names up as long as accounts of somebody need it', async () => {
    const host = server('127.0.0.1', { names: true });
    await runChanges(await plan(host), contextOf(host));
    expect(await host.files.read(FILE)).not.toContain('skip-name-resolve');
  });

  it('is restarted when the file is there already: an agent may have died in between', async () => {
    const host = server('127.0.0.1');
    await host.files.write(FILE, 'anything', { mode: 0o644 });
    await runChanges(await plan(host), contextOf(host));
    expect(host.acts).toEqual(['mariadb restart']);
  });

  it.each([undefined, '[mariadbd]\n'])('that does not start so gets its former file back (%j)', async (before) => {
    let failures = 1;
    const host = server('127.0.0.1', {
      restart: () => {
        if (failures-- > 0) throw new Error('does not start');
      },
    });
    if (before !== undefined) await host.files.write(FILE, before, { mode: 0o644 });
    await expect(runChanges(await plan(host), contextOf(host))).rejects.toThrow('does not start');
    expect(await host.files.read(FILE)).toBe(before);
    expect(host.acts).toEqual(['mariadb restart', 'mariadb restart']);
  });

  it.each(['--bind-address=* --bind-address=127.0.0.1', '--bind_address=::1 --port=3306'])(
    'that a later file keeps on the loopback is not restarted, and says so: %s',
    async (configured) => {
      const host = server('127.0.0.1', { configured });
      await expect(runChanges(await plan(host), contextOf(host))).rejects.toThrow(
        /is configured though .*90-aegir.cnf says otherwise; remove bind-address from the file that is read after it/,
      );
      expect(await host.files.exists(FILE)).toBe(false);
      expect(host.acts).toEqual([]);
    },
  );

  it('that its arguments keep on the loopback says so', async () => {
    const host = server('127.0.0.1', { deaf: true });
    await expect(runChanges(await plan(host), contextOf(host))).rejects.toThrow(
      /listens on 127.0.0.1 though .*90-aegir.cnf says otherwise; remove bind-address/,
    );
  });

  it('of an embedded host listens where that host says', async () => {
    expect(await plan(server('127.0.0.1', { kind: 'embedded' }))).toEqual([]);
  });

  it('that is not there is missed', async () => {
    await expect(plan(createFakeHost())).rejects.toThrow(/MariaDB is not installed.*install mariadb-server/);
  });
});
