// Detects PostgreSQL: one service for each of Debian's clusters (/etc/postgresql/VERSION/NAME), or the bare program.
import { join } from 'node:path';
import type { DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import type { Host } from '../host/host.ts';
import { type Detector, found } from './detector.ts';
import { isRunning } from './running.ts';
import { ports, settings } from './settings.ts';
import { versionOf } from './version.ts';

const CLUSTERS = '/etc/postgresql';
const PROGRAMS = '/usr/lib/postgresql';
const SOCKETS = '/var/run/postgresql';

export function createPostgresqlDetector(): Detector {
  return {
    name: 'postgresql',
    async detect(host) {
      const clusters: DetectedService[] = [];
      for (const version of await host.files.list(CLUSTERS)) {
        for (const name of await host.files.list(join(CLUSTERS, version))) {
          clusters.push(await cluster(host, version, name));
        }
      }
      return clusters.length > 0 ? clusters : bareProgram(host);
    },
  };
}

async function cluster(host: Host, version: string, name: string): Promise<DetectedService> {
  const root = join(CLUSTERS, version, name);
  const [port = 5432] = ports(
    await settings(host, [join(root, 'postgresql.conf')], /^\s*port\s*=\s*'?(\d+)/gm),
    5432,
  ).slice(-1);
  const program = await host.which(join(PROGRAMS, version, 'bin/postgres'));
  const socket = join(SOCKETS, `.s.PGSQL.${port}`);
  // The server makes its socket when it starts and takes it away when it stops.
  const running = (await host.files.exists(socket)) && (await isRunning('postgres'));
  return found({
    type: 'db',
    engine: 'postgresql',
    instance: `${version}/${name}`,
    version: program === undefined ? version : await versionOf(host, [program, '--version'], /(\d+\.\d+\S*)/),
    ports: [port],
    configRoots: [root],
    running,
    socket: running ? socket : '',
  });
}

async function bareProgram(host: Host): Promise<readonly DetectedService[]> {
  const versions = (await host.files.list(PROGRAMS)).filter((name) => /^\d+$/.test(name));
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  const program =
    (newest === undefined ? undefined : await host.which(join(PROGRAMS, newest, 'bin/postgres'))) ??
    (await host.which('postgres'));
  if (program === undefined) return [];
  const version = await versionOf(host, [program, '--version'], /(\d+\.\d+\S*)/);
  return [found({ type: 'db', engine: 'postgresql', version, ports: [5432], running: await isRunning('postgres') })];
}
