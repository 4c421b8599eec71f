// Debian's clusters of PostgreSQL as systemd units; the system user postgres is their administrator by peer authentication.
import { join } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import type { Daemon, DaemonName, Files } from '../host.ts';
import { type ClusterName, clusterDaemon, parseCluster, sortClusters } from '../postgresql-name.ts';
import { reloadPostgresql } from '../postgresql-reload.ts';
import type { Run } from '../process.ts';
import type { Serial } from '../serial.ts';
import type { Systemctl } from './systemctl.ts';
import { createUnitDaemon } from './unit-daemon.ts';

const CLUSTERS = '/etc/postgresql';
const ADMINISTRATOR = 'postgres';
const DEFAULT_SOCKETS = '/var/run/postgresql';

export interface PostgresqlOptions {
  readonly instance: string;
  readonly program: string;
  readonly run: Run;
  readonly systemctl: Systemctl;
  readonly serial: Serial;
}

export async function createPostgresql(options: PostgresqlOptions): Promise<Daemon> {
  const { instance, program, run, systemctl } = options;
  const name = clusterDaemon(instance);
  const unit = clusterUnit(instance);
  const etc = etcOf(cluster(name, instance));
  const conf = join(etc, 'postgresql.conf');
  const setting = async (key: string): Promise<string> => {
    const argv = [program, '-C', key, '-c', `config_file=${conf}`] as const;
    const { code, stdout, stderr } = await run({ argv, user: ADMINISTRATOR });
    if (code === 0) return stdout.trim();
    throw new AegirError('failed_precondition', `cannot read the configuration of ${name}: ${stderr.trim()}`);
  };
  const [listen, port, sockets] = await Promise.all(
    ['listen_addresses', 'port', 'unix_socket_directories'].map(setting),
  );
  const socket = socketOf(sockets ?? '', Number(port));
  const addresses = addressesOf(listen ?? '');

  return createUnitDaemon({
    name,
    unit,
    systemctl,
    serial: options.serial,
    program,
    configArguments: ['-c', `config_file=${conf}`],
    includeDir: join(etc, 'conf.d'),
    addresses,
    port: addresses.length === 0 ? 0 : Number(port),
    socket,
    user: ADMINISTRATOR,
    mayRun: async () => true,
    // Its unit's program waits until it answers.
    ready: async () => {},
    reloadRunning: () => reloadPostgresql({ name, program, socket, user: ADMINISTRATOR }, run),
  });
}

/** As Debian's tools see them: a directory with a configuration below version and name. */
export async function clustersIn(files: Files, root = CLUSTERS): Promise<readonly string[]> {
  const found: string[] = [];
  for (const version of await files.list(root)) {
    for (const name of await files.list(join(root, version))) {
      const instance = `${version}-${name}`;
      if (parseCluster(instance) === undefined) continue;
      if (await files.exists(join(root, version, name, 'postgresql.conf'))) found.push(instance);
    }
  }
  return sortClusters(found);
}

export function clusterUnit(instance: string): string {
  return `postgresql@${instance}.service`;
}

export function clusterProgram(name: DaemonName, instance: string): string {
  return `/usr/lib/postgresql/${cluster(name, instance).version}/bin/postgres`;
}

function etcOf({ version, name }: ClusterName): string {
  return join(CLUSTERS, version, name);
}

function cluster(name: DaemonName, instance: string): ClusterName {
  const found = parseCluster(instance);
  if (found !== undefined) return found;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(name)}: a cluster like postgresql@15-main is needed`,
  );
}

/** listen_addresses is a list; empty is none, "*" all. */
export function addressesOf(listen: string): readonly string[] {
  const parts = listen
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  return parts.flatMap((part) => (part === '*' ? ['0.0.0.0', '::'] : [part]));
}

/** The first of unix_socket_directories, which may be quoted; an abstract one has no path. */
export function socketOf(directories: string, port: number): string {
  const first = directories
    .split(',')
    .map((part) => part.trim().replace(/^"(.*)"$/, '$1'))
    .find((part) => part.startsWith('/'));
  return join(first ?? DEFAULT_SOCKETS, `.s.PGSQL.${port}`);
}
