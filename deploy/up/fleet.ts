// The processes of `up`: one master with its mesh node, two agents with embedded servers (web1 and db1).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, createConnection } from '../../master/cli/connection.ts';
import { contextsPath, readContexts, writeContexts } from '../../master/cli/context.ts';
import {
  GraphServiceService,
  ServerServiceService,
  ServiceServiceService,
  TokenServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { type Child, startChild } from './child.ts';
import type { Layout } from './layout.ts';

export interface Fleet {
  readonly connection: Connection;
  readonly apiAddress: string;
  readonly tokenFile: string;
  /** Where sites are reached. */
  readonly webAddress: string;
  /** Rejects when one of the processes ends by itself. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

const root = new URL('../..', import.meta.url).pathname;
const LOOPBACK = '127.0.0.1';
const WAIT_MS = 120_000;
const PHP_DAEMONS = ['nginx', 'php-fpm'] as const;

const SERVERS = [
  { name: 'web1', address: '127.0.1.1', daemons: PHP_DAEMONS, types: ['http', 'dns'] },
  { name: 'db1', address: '127.0.1.2', daemons: ['mariadb'], types: ['db'] },
] as const;

export async function startFleet(layout: Layout, step: (text: string) => void, signal: AbortSignal): Promise<Fleet> {
  const children: Child[] = [];
  const stop = async () => {
    // Agents first: they end their daemons; the master hears of it and ends last.
    const [master, ...agents] = children;
    await Promise.all(agents.map((child) => child.stop()));
    await master?.stop();
  };
  try {
    const master = startMaster(layout);
    children.push(master);
    const apiAddress = `${LOOPBACK}:${layout.ports.api}`;
    const tokenFile = join(layout.master, 'admin.token');
    const connection = await connectWhenReady(layout, apiAddress, tokenFile, master, signal);
    step('master runs');
    for (const server of SERVERS) {
      const agent = await startAgent(layout, connection, server);
      children.push(agent);
      await until(`${server.name} to connect`, agent, signal, async () => {
        const { servers } = await connection.call(ServerServiceService.listServers, { pageSize: 0, pageToken: '' });
        return servers.some((known) => known.name === server.name && known.connected && known.state === 'accepted');
      });
      step(`server ${server.name} joined and is accepted`);
    }
    await until('services to be enabled', master, signal, async () => {
      const { services } = await connection.call(ServiceServiceService.listServices, {
        pageSize: 0,
        pageToken: '',
        server: '',
        type: '',
      });
      return ['web1/nginx', 'web1/null', 'db1/mariadb'].every((name) =>
        services.some((service) => service.name === name && service.state === 'enabled'),
      );
    });
    step('services web1/nginx, web1/null and db1/mariadb are enabled');
    if (!layout.dir.includes('aegir-check-')) rememberContext(layout, apiAddress, tokenFile);
    const ended = Promise.race(children.map((child) => child.ended)).then((text): never => {
      throw new Error(text);
    });
    ended.catch(() => {});
    return {
      connection,
      apiAddress,
      tokenFile,
      webAddress: LOOPBACK,
      ended,
      stop: async () => {
        connection.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startMaster(layout: Layout): Child {
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
  };
  writeFileSync(config, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  return startChild({
    name: 'master',
    argv: [process.execPath, join(root, 'master/main.ts'), '--config', config],
    log: join(layout.dir, 'master.log'),
  });
}

async function startAgent(layout: Layout, connection: Connection, server: (typeof SERVERS)[number]): Promise<Child> {
  const dir = join(layout.dir, server.name);
  const stateDir = join(dir, 'agent');
  const log = join(layout.dir, `${server.name}.log`);
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
      ports: layout.ports[server.name],
      daemons: [...server.daemons],
      hostname: server.name,
    },
  };
  writeFileSync(config, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  const agent = (...args: string[]) =>
    [process.execPath, join(root, 'agent/main.ts'), ...args, '--config', config] as const;
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
  return startChild({ name: server.name, argv: [...agent('run')] as [string, ...string[]], log });
}

async function connectWhenReady(
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

/** `npm run aegir` then talks to this master; a context that somebody chose stays the current one. */
function rememberContext(layout: Layout, address: string, tokenFile: string): void {
  const path = contextsPath(process.env);
  const known = readContexts(path);
  const context = {
    address,
    ca: readFileSync(join(layout.master, 'ca.pem'), 'utf8'),
    token: readFileSync(tokenFile, 'utf8').trim(),
  };
  const current = known.contexts[known.current] === undefined ? 'up' : known.current;
  writeContexts(path, { current, contexts: { ...known.contexts, up: context } });
}
