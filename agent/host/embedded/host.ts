// A host without any privileges: private daemons as children under one directory, on a loopback address of its own.
// For trying Aegir out and for tests; sites on it are not kept apart from each other.
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { AegirError } from '../../../shared/error.ts';
import { createFiles } from '../files.ts';
import type { Daemon, DaemonName, Host } from '../host.ts';
import { readIdentity } from '../identity.ts';
import { clustersOf, parseCluster } from '../postgresql-name.ts';
import type { RunAs } from '../process.ts';
import { createRun } from '../process.ts';
import { createStream } from '../stream.ts';
import { which } from '../which.ts';
import { createApache } from './apache.ts';
import { createCommands } from './commands.ts';
import type { EmbeddedContext, EmbeddedPorts, Note } from './context.ts';
import { createHaproxy } from './haproxy.ts';
import { embeddedLayout } from './layout.ts';
import { lockDirectory } from './lock.ts';
import { createMariadb } from './mariadb.ts';
import { createNginx } from './nginx.ts';
import { createPhpFpm } from './php-fpm.ts';
import { createPostgresql } from './postgresql.ts';
import { openRunDirectory } from './run-directory.ts';
import { assertReachable, findRunUser } from './run-user.ts';
import { createEmbeddedUsers } from './users.ts';

export interface EmbeddedOptions {
  /** Everything lives below it; made when missing. Absolute. */
  readonly dir: string;
  readonly hostname: string;
  /** Where this server is found, for example 127.0.1.1. */
  readonly address: string;
  /** Where web servers listen besides, on the same ports. */
  readonly extraAddresses?: readonly string[];
  readonly ports: EmbeddedPorts;
  readonly daemons: readonly DaemonName[];
  /** Told what happens to the children. */
  readonly note?: Note;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts the daemons and resolves when they answer. One that does not start is noted, and tried again with growing
 * pauses: the agent must come up to mend it. Refuses what can never work: a directory in use or out of reach.
 */
export async function createEmbeddedHost(options: EmbeddedOptions): Promise<Host> {
  const env = options.env ?? process.env;
  const note = options.note ?? (() => {});
  assertOptions(options);
  const user = await findRunUser(env);
  await mkdir(options.dir, { recursive: true, mode: 0o755 });
  const dir = await realpath(options.dir);
  const lock = await lockDirectory(dir);
  try {
    const layout = embeddedLayout(dir, '');
    const as: RunAs = { uid: user.uid, gid: user.gid, home: layout.home };
    await letThrough(dir);
    await assertReachable(dir, user, as);

    const files = createFiles(async () => as);
    const runDirectory = await openRunDirectory(dir, as, files, env);
    const placed = embeddedLayout(dir, runDirectory.path);
    const closing = new AbortController();
    const commands = createCommands(
      createRun(async () => as),
      createStream(async () => as),
      closing.signal,
    );
    await mkdir(placed.paths.state, { recursive: true, mode: 0o700 });
    for (const path of [placed.paths.sites, placed.paths.logs, placed.paths.work])
      await files.directory(path, { mode: 0o711 });
    for (const path of [placed.home, placed.daemonLogs, placed.temporary, placed.etc]) {
      await files.directory(path, { mode: 0o755 });
    }

    const context: EmbeddedContext = {
      layout: placed,
      files,
      run: commands.run,
      user,
      as,
      address: options.address,
      webAddresses: [...new Set([options.address, ...(options.extraAddresses ?? [])])],
      ports: options.ports,
      note,
      closing: closing.signal,
    };
    const made = await Promise.all(options.daemons.map((name) => createDaemon(context, name)));
    const daemons = new Map<DaemonName, Daemon>(made.map((daemon) => [daemon.name, daemon]));
    const close = async (): Promise<void> => {
      closing.abort();
      await commands.settled();
      await Promise.all(made.map((daemon) => daemon.stop()));
      await runDirectory.remove();
      await lock.release();
    };
    await Promise.all(made.map((daemon) => daemon.start().catch((cause: Error) => note('error', cause.message))));

    return {
      kind: 'embedded',
      paths: placed.paths,
      files,
      users: createEmbeddedUsers(placed.users, files, user),
      said: new Map(),
      run: commands.run,
      stream: commands.stream,
      daemon: async (name) => daemons.get(name),
      phpVersions: async () => phpVersionsOf(options.daemons),
      postgresqlClusters: async () => clustersOf(options.daemons),
      which,
      identity: () =>
        readIdentity({
          hostname: options.hostname,
          addresses: [options.address],
          // Connections to any loopback address come from 127.0.0.1 unless the client binds.
          sourceAddresses: [...new Set([options.address, '127.0.0.1'])],
        }),
      close,
    };
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

async function createDaemon(context: EmbeddedContext, name: DaemonName): Promise<Daemon> {
  if (name === 'nginx') return createNginx(context);
  if (name === 'apache2') return createApache(context);
  if (name === 'mariadb') return createMariadb(context);
  if (name === 'haproxy') return createHaproxy(context);
  if (name === 'mysql') throw new AegirError('invalid_argument', 'cannot run mysql on an embedded server: use mariadb');
  if (name.startsWith('postgresql@')) return createPostgresql(context, name.slice('postgresql@'.length));
  if (name === 'named' || name === 'pdns') {
    throw new AegirError('invalid_argument', `cannot run ${name}: embedded servers carry no name server`);
  }
  return createPhpFpm(context, name.slice('php-fpm@'.length));
}

export function phpVersionsOf(daemons: readonly DaemonName[]): readonly string[] {
  const versions = daemons.filter((name) => name.startsWith('php-fpm@')).map((name) => name.slice('php-fpm@'.length));
  return versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

/** The directory is ours alone: its own mode must not keep the run user out (mkdtemp makes 0700). */
async function letThrough(dir: string): Promise<void> {
  const { mode, uid } = await stat(dir);
  if (uid === process.geteuid?.() && (mode & 0o011) !== 0o011) await chmod(dir, (mode & 0o7777) | 0o011);
}

function assertOptions({ dir, address, extraAddresses = [], ports, daemons }: EmbeddedOptions): void {
  const refuse = (why: string): never => {
    throw new AegirError('invalid_argument', `cannot run an embedded server: ${why}`);
  };
  if (!isAbsolute(dir) || /[\s;{}"'\\$#%]|\p{Cc}/u.test(dir)) {
    refuse(`${JSON.stringify(dir)} must be absolute, without spaces, quotes, ";", "{", "}", "$", "#", "%" or "\\"`);
  }
  for (const one of [address, ...extraAddresses]) if (isIP(one) === 0) refuse(`${one} is no IP address`);
  const clusters = clustersOf(daemons);
  if (clusters.length > 1) refuse('one cluster of PostgreSQL is the most');
  for (const one of clusters) if (parseCluster(one) === undefined) refuse(`${one} is no cluster of PostgreSQL`);
  for (const name of ['nginxTls', 'apache2Tls', 'haproxyTls'] as const) {
    const port = ports[name];
    if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65535)) refuse(`${port} is no port`);
  }
  for (const name of ['nginx', 'apache2', 'haproxy', 'mariadb', 'postgresql'] as const) {
    const port = ports[name] ?? 0;
    if (!daemons.some((daemon) => daemon.split('@')[0] === name)) continue;
    if (!Number.isInteger(port) || port < 1 || port > 65535) refuse(`${port} is no port for ${name}`);
  }
  const web = (['nginx', 'apache2', 'haproxy'] as const).filter((name) => daemons.includes(name));
  const clash = web.find((name, at) => web.some((other, index) => index < at && ports[other] === ports[name]));
  if (clash !== undefined) refuse(`${web.join(' and ')} cannot listen on the same port ${ports[clash]}`);
}
