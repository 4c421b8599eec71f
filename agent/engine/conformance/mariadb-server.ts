// A MariaDB of a test's own, in a private directory, with somebody who administers it by hand.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseName, databaseUser } from '../../../shared/database-name.ts';
import type { DbSpec, ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../host/embedded/host.ts';
import type { CommandResult, Daemon, Host } from '../../host/host.ts';

export const MARIADB_SERVICE: ServiceRef = {
  ...{ id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'db', engine: 'mariadb' },
  ...{ version: '', instance: '', settings: {}, secrets: {} },
};

export interface MariadbServer {
  readonly host: Host;
  readonly daemon: Daemon;
  /** Lines of tab-separated fields. Rejects with the server's words. */
  sql(text: string, database: string): Promise<readonly string[]>;
  /** The same whatever comes of it. */
  ask(text: string, database: string): Promise<CommandResult>;
  close(): Promise<void>;
}

/** body: 16 digits that no other site of the test has; from: addresses of its web servers. */
export function siteSpecOf(body: string, ...from: readonly string[]): DbSpec {
  const siteId = `site-${body}`;
  const names = { database: databaseName(siteId), user: databaseUser(siteId) };
  return { siteId, ...names, password: 'secret', from: [...from], holdsContent: false, frozen: false };
}

/** address: on loopback, of no other test. */
export async function openMariadbServer(address: string): Promise<MariadbServer> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-mariadb-'));
  // The daemon runs as somebody else when we are root.
  await chmod(dir, 0o755);
  const host = await createEmbeddedHost({
    ...{ dir: join(dir, 'host'), hostname: 'db.test', address },
    ...{ ports: { nginx: 1, mariadb: 3306 }, daemons: ['mariadb'] },
  });
  const daemon = await host.daemon('mariadb');
  if (daemon === undefined) throw new Error('the host under test has no mariadb');
  const ask = (input: string, database: string) =>
    host.run({
      argv: [
        ...(['mariadb', '--no-defaults', '--batch', '--skip-column-names'] as const),
        ...[`--socket=${daemon.socket}`, `--user=${daemon.user}`, database],
      ],
      input,
    });
  return {
    host,
    daemon,
    ask,
    async sql(text, database) {
      const { code, stdout, stderr } = await ask(text, database);
      if (code !== 0) throw new Error(stderr);
      return stdout.split('\n').filter((line) => line !== '');
    },
    async close() {
      await host.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
