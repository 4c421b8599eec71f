// A production host: system users, daemons as systemd units, configuration under /etc, sites under /var/aegir.
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { AegirError } from '../../../shared/error.ts';
import type { Owner } from '../files.ts';
import { createFiles } from '../files.ts';
import type { Daemon, DaemonName, Host, HostPaths } from '../host.ts';
import { interfaceAddresses, readIdentity } from '../identity.ts';
import { findGroup, findUser } from '../passwd.ts';
import type { Run, RunAs } from '../process.ts';
import { createRun, ourselves } from '../process.ts';
import type { Serial } from '../serial.ts';
import { createSerial } from '../serial.ts';
import { createStream } from '../stream.ts';
import { which } from '../which.ts';
import { createAccountEnds } from './account-ends.ts';
import { createApache } from './apache.ts';
import { eachOnce } from './disks.ts';
import { createHaproxy } from './haproxy.ts';
import { createMariadb, isMysql } from './mariadb.ts';
import { createNameServer } from './name-server.ts';
import { createNginx } from './nginx.ts';
import { createPhpFpm } from './php-fpm.ts';
import { clusterProgram, clustersIn, clusterUnit, createPostgresql } from './postgresql.ts';
import { createSystemctl } from './systemctl.ts';
import { createUserNumbers } from './user-numbers.ts';
import { createSystemUsers } from './users.ts';

const PATHS: HostPaths = {
  state: '/var/lib/aegir-agent',
  sites: '/var/aegir/sites',
  linkless: '/var/aegir/linkless',
  logs: '/var/log/aegir',
  run: '/run/aegir',
  work: '/var/aegir/work',
};

export interface SystemdOptions {
  readonly paths?: HostPaths;
  /** Runs commands; replaced in tests. */
  readonly run?: Run;
}

/** The agent must be root. Makes the host's directories; /run is empty after each boot. */
export async function createSystemdHost(options: SystemdOptions = {}): Promise<Host> {
  const paths = options.paths ?? PATHS;
  const run = options.run ?? createRun(runAs);
  const files = createFiles(ownerOf);
  const systemctl = createSystemctl(run);
  await files.directory(paths.state, { mode: 0o700 });
  for (const path of [paths.sites, paths.logs, paths.run, paths.work]) await files.directory(path, { mode: 0o711 });

  // One queue per daemon: its commands wait for each other, whoever gives them.
  const serials = new Map<DaemonName, Serial>();
  const serialOf = (name: DaemonName): Serial => {
    const serial = serials.get(name) ?? createSerial();
    serials.set(name, serial);
    return serial;
  };
  const daemon = async (name: DaemonName): Promise<Daemon | undefined> => {
    const { program, unit } = installedAs(name);
    if ((await which(program)) === undefined || !(await systemctl.state(unit)).loaded) return undefined;
    const common = { program, run, systemctl, serial: serialOf(name) };
    if (name === 'nginx') return createNginx({ ...common, addresses: wildcards() });
    if (name === 'apache2') return createApache({ ...common, files, wildcards: wildcards() });
    if (name === 'mariadb') return createMariadb({ ...common, name });
    if (name === 'mysql') return (await isMysql(program, run)) ? createMariadb({ ...common, name }) : undefined;
    const instance = clusterOf(name);
    if (instance !== undefined) {
      return (await clustersIn(files)).includes(instance) ? createPostgresql({ ...common, instance }) : undefined;
    }
    if (name === 'haproxy') return createHaproxy({ ...common, addresses: wildcards() });
    if (name === 'named' || name === 'pdns') return createNameServer({ ...common, name, unit });
    return createPhpFpm({ ...common, version: phpVersion(name), files });
  };

  return {
    kind: 'systemd',
    paths,
    files,
    users: createSystemUsers({
      run,
      numbers: createUserNumbers({ run, files, state: paths.state, sites: paths.sites }),
      ends: createAccountEnds(files, paths.state),
    }),
    said: new Map(),
    run,
    stream: createStream(runAs),
    daemon,
    phpVersions: async () => phpVersionsIn(await readdir('/usr/sbin')),
    postgresqlClusters: () => clustersIn(files),
    which,
    identity: async () => {
      const addresses = interfaceAddresses();
      const found = await readIdentity({ hostname: hostname(), addresses, sourceAddresses: addresses });
      return { ...found, disks: await eachOnce(found.disks) };
    },
    async close() {},
  };
}

/** Program and unit as Debian's packages have them. */
export function installedAs(name: DaemonName): { readonly program: string; readonly unit: string } {
  if (name === 'nginx') return { program: '/usr/sbin/nginx', unit: 'nginx.service' };
  if (name === 'apache2') return { program: '/usr/sbin/apache2ctl', unit: 'apache2.service' };
  if (name === 'mariadb') return { program: '/usr/sbin/mariadbd', unit: 'mariadb.service' };
  if (name === 'mysql') return { program: '/usr/sbin/mysqld', unit: 'mysql.service' };
  const instance = clusterOf(name);
  if (instance !== undefined) return { program: clusterProgram(name, instance), unit: clusterUnit(instance) };
  if (name === 'haproxy') return { program: '/usr/sbin/haproxy', unit: 'haproxy.service' };
  if (name === 'named') return { program: '/usr/sbin/named', unit: 'named.service' };
  if (name === 'pdns') return { program: '/usr/sbin/pdns_server', unit: 'pdns.service' };
  const version = phpVersion(name);
  return { program: `/usr/sbin/php-fpm${version}`, unit: `php${version}-fpm.service` };
}

/** Newest first. */
export function phpVersionsIn(programs: readonly string[]): readonly string[] {
  const versions = programs
    .map((name) => /^php-fpm([0-9]+\.[0-9]+)$/.exec(name)?.[1])
    .filter((one) => one !== undefined);
  return versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

function clusterOf(name: DaemonName): string | undefined {
  return name.startsWith('postgresql@') ? name.slice('postgresql@'.length) : undefined;
}

function phpVersion(name: DaemonName): string {
  const version = name.slice('php-fpm@'.length);
  if (/^[0-9]+\.[0-9]+$/.test(version)) return version;
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(name)}: a version like php-fpm@8.2 is needed`);
}

/** Web servers listen on every address; those of the host are facts of its identity. */
function wildcards(): readonly string[] {
  const hasIpv6 = interfaceAddresses().some((address) => address.includes(':'));
  return hasIpv6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
}

async function runAs(user: string | undefined): Promise<RunAs> {
  if (user === undefined) return ourselves();
  const found = await findUser(user);
  if (found !== undefined) return { uid: found.uid, gid: found.gid, home: found.home };
  throw new AegirError('failed_precondition', `cannot run anything as ${user}: there is no such user`);
}

async function ownerOf(options: { readonly owner?: string; readonly group?: string }): Promise<Owner> {
  const me = ourselves();
  const user = options.owner === undefined ? undefined : await findUser(options.owner);
  if (options.owner !== undefined && user === undefined) throw nobody('user', options.owner);
  if (options.group === undefined) return { uid: user?.uid ?? me.uid, gid: user?.gid ?? me.gid };
  const group = await findGroup(options.group);
  if (group === undefined) throw nobody('group', options.group);
  return { uid: user?.uid ?? me.uid, gid: group.gid };
}

function nobody(what: string, name: string): AegirError {
  return new AegirError('failed_precondition', `cannot give anything to ${what} ${name}: there is no such ${what}`);
}
