// The processes of a fleet on this machine, each startable by itself: the master, and agents with embedded servers.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, createConnection } from '../../master/cli/connection.ts';
import { GraphServiceService, TokenServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { type Child, startChild } from './child.ts';
import type { Layout } from './layout.ts';

const root = new URL('../..', import.meta.url).pathname;
export const LOOPBACK = '127.0.0.1';
const WAIT_MS = 120_000;

export interface EmbeddedServer {
  readonly name: string;
  readonly address: string;
  readonly daemons: readonly ('nginx' | 'apache2' | 'php-fpm' | 'mariadb' | 'haproxy' | `postgresql@${string}`)[];
  /** Service types that its join token enables. */
  readonly types: readonly string[];
  /** By daemon, where the layout has none for it. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Most bytes a second of its transfers. */
  readonly bytesPerSecond?: number;
}

export type ExtraEnv = Readonly<Record<string, string>>;

export const SERVERS: readonly EmbeddedServer[] = [
  { name: 'web1', address: '127.0.1.1', daemons: ['nginx', 'php-fpm'], types: ['http', 'dns'] },
  { name: 'db1', address: '127.0.1.2', daemons: ['mariadb'], types: ['db'] },
];

/** One more, with all that a site needs: to move sites to, to clone them there, and to keep backups on. */
export const THIRD: EmbeddedServer = {
  ...{ name: 'web2', address: '127.0.1.3', daemons: ['nginx', 'php-fpm', 'mariadb'] },
  types: ['http', 'db', 'dns', 'file'],
};

/** What a person has said there of a certificate authority outlives a start. */
function agreedIn(config: string): object {
  if (!existsSync(config)) return {};
  const { acme } = JSON.parse(readFileSync(config, 'utf8')) as { readonly acme?: object };
  return acme === undefined ? {} : { acme };
}

/** more: further settings of its configuration. */
export function startMaster(layout: Layout, env: ExtraEnv = {}, more: object = {}): Child {
  const { ports } = layout;
  mkdirSync(layout.master, { recursive: true, mode: 0o700 });
  const config = join(layout.master, 'config.json');
  const at = (port: number) => `${LOOPBACK}:${port}`;
  const settings = {
    dataDir: layout.master,
    advertise: [LOOPBACK],
    listen: {
      api: at(ports.api),
      agent: at(ports.agent),
      enrol: at(ports.enrol),
      web: at(ports.web),
      mesh: at(ports.mesh),
    },
    store: { kind: 'sqlite' },
    ...agreedIn(config),
    ...more,
  };
  writeFileSync(config, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  return startChild({
    name: 'master',
    argv: [process.execPath, join(root, 'master/main.ts'), '--config', config],
    log: join(layout.dir, 'master.log'),
    env,
  });
}

/** Joins first when the server has no identity yet. code: where the agent's source is. */
export async function startAgent(
  layout: Layout,
  connection: Connection,
  server: EmbeddedServer,
  env: ExtraEnv = {},
  code = root,
): Promise<Child> {
  const dir = join(layout.dir, server.name);
  const stateDir = join(dir, 'agent');
  const log = join(layout.dir, `${server.name}.log`);
  // Others may pass: the daemons run as another user when we are root.
  mkdirSync(dir, { recursive: true, mode: 0o711 });
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const config = join(stateDir, 'config.json');
  const settings = {
    stateDir,
    host: {
      kind: 'embedded',
      dir: join(dir, 'host'),
      address: server.address,
      // *.localhost resolves to 127.0.0.1 in browsers (RFC 6761 section 6.3): sites are reached there too.
      extraAddresses: server.name === 'web1' ? [LOOPBACK] : [],
      ports: server.ports ?? layout.ports[server.name as 'web1' | 'db1' | 'web2'],
      daemons: server.daemons.map((daemon) => (daemon === 'php-fpm' ? newestPhpFpm() : daemon)),
      hostname: server.name,
    },
    ...(server.bytesPerSecond === undefined ? {} : { transfer: { bytesPerSecond: server.bytesPerSecond } }),
  };
  writeFileSync(config, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  const agent = (...args: string[]) =>
    [process.execPath, join(code, 'agent/main.ts'), ...args, '--config', config] as const;
  if (!existsSync(join(stateDir, 'identity.json'))) {
    const token = await connection.call(TokenServiceService.createToken, {
      kind: 'join',
      description: `npm run up, ${server.name}`,
      role: '',
      uses: 1,
      ttlSeconds: 600n,
      autoAccept: true,
      autoEnable: [...server.types],
    });
    const { caPin } = await connection.call(GraphServiceService.getStatus, {});
    const join_ = startChild({
      name: `${server.name} join`,
      argv: [
        ...agent('join', '--master', `${LOOPBACK}:${layout.ports.enrol}`, '--ca-pin', caPin, '--name', server.name),
      ] as [string, ...string[]],
      log,
      env: { AEGIR_JOIN_TOKEN: token.value },
    });
    const ended = await join_.ended;
    if (!ended.includes('(status 0)')) throw new Error(ended);
  }
  return startChild({ name: server.name, argv: [...agent('run')] as [string, ...string[]], log, env });
}

/** Resolves when the master answers a call. */
export async function connectWhenReady(
  layout: Layout,
  address: string,
  tokenFile: string,
  master: Child,
  signal: AbortSignal,
): Promise<Connection> {
  const ca = join(layout.master, 'ca.pem');
  let connection: Connection | undefined;
  await until('the master to answer', master, signal, async () => {
    if (!existsSync(ca) || !existsSync(tokenFile)) return false;
    connection ??= createConnection({
      address,
      ca: readFileSync(ca, 'utf8'),
      token: readFileSync(tokenFile, 'utf8').trim(),
    });
    try {
      await connection.call(GraphServiceService.getStatus, {});
      return true;
    } catch {
      // Not listening yet; the deadline of until() ends a master that never does.
      return false;
    }
  });
  if (connection === undefined) throw new Error('up: the master gave no token');
  return connection;
}

/** Waits for a condition; ends early when the process that should bring it about has ended. */
export async function until(
  what: string,
  child: Child | undefined,
  signal: AbortSignal,
  condition: () => Promise<boolean>,
): Promise<void> {
  for (const deadline = Date.now() + WAIT_MS; ; ) {
    signal.throwIfAborted();
    if (child !== undefined && !child.alive()) throw new Error(await child.ended);
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_MS / 1000} s for ${what}; see the logs`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** php-fpm@VERSION of the newest that is installed; Debian names the program by its version. */
function newestPhpFpm(): string {
  const versions = readdirSync('/usr/sbin')
    .map((name) => /^php-fpm([0-9]+\.[0-9]+)$/.exec(name)?.[1])
    .filter((version) => version !== undefined)
    .sort((a, b) => Number(b) - Number(a));
  if (versions[0] === undefined) throw new Error('up: PHP-FPM is not installed; run: sh deploy/setup/setup.sh up');
  return `php-fpm@${versions[0]}`;
}
