// The processes of `up`: one master with its mesh node, agents with embedded servers (web1 and db1, and web2 where it is asked for).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '../../master/cli/connection.ts';
import { ServerServiceService, ServiceServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import type { Child } from './child.ts';
import type { Layout } from './layout.ts';
import {
  connectWhenReady,
  type EmbeddedServer,
  LOOPBACK,
  SERVERS,
  startAgent,
  startMaster,
  THIRD,
  until,
} from './processes.ts';
import { rememberContext } from './remember-context.ts';

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
    const third = layout.ports.web2 === undefined ? [] : [THIRD];
    const servers = [...SERVERS, ...third];
    const gone: string[] = [];
    for (const server of servers) {
      if (await wasRemoved(layout, server, connection)) {
        gone.push(server.name);
        step(
          `server ${server.name} was removed and is not started; without ${join(layout.dir, server.name)} it joins anew`,
        );
        continue;
      }
      const agent = await startAgent(layout, connection, server);
      children.push(agent);
      await until(`${server.name} to connect`, agent, signal, async () => {
        const { servers } = await connection.call(ServerServiceService.listServers, { pageSize: 0, pageToken: '' });
        return servers.some((known) => known.name === server.name && known.connected && known.state === 'accepted');
      });
      step(`server ${server.name} joined and is accepted`);
    }
    const wanted = [
      ...['web1/nginx', 'web1/null', 'db1/mariadb'],
      ...third.flatMap(() => ['web2/nginx', 'web2/mariadb', 'web2/mesh']),
    ].filter((name) => !gone.some((server) => name.startsWith(`${server}/`)));
    await until('services to be enabled', master, signal, async () => {
      const { services } = await connection.call(ServiceServiceService.listServices, {
        pageSize: 0,
        pageToken: '',
        server: '',
        type: '',
      });
      return wanted.every((name) =>
        services.some(({ name: has, state }) => has === name && (state === 'enabled' || state === 'disabled')),
      );
    });
    step(`services ${wanted.slice(0, -1).join(', ')} and ${wanted.at(-1)} are there`);
    if (!layout.dir.includes('aegir-check-')) {
      const context = {
        address: apiAddress,
        ca: readFileSync(join(layout.master, 'ca.pem'), 'utf8'),
        token: readFileSync(tokenFile, 'utf8').trim(),
      };
      const told = rememberContext(process.env, context, layout.dir);
      if (told !== undefined) step(told);
    }
    const ended = Promise.race(children.map((child) => endOf(child, step))).then((text): never => {
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

/** What agent/main.ts ends with when its server was revoked or removed. */
const REVOKED = 3;

/** Resolves when it ends, unless a person ended it through the master: then the others go on. */
async function endOf(child: Child, step: (text: string) => void): Promise<string> {
  const text = await child.ended;
  if (child.status() !== REVOKED) return text;
  step(`server ${child.name} was revoked or removed: its agent has ended`);
  return new Promise(() => {});
}

/** It joined once, and the master knows it no more, or as revoked. */
async function wasRemoved(layout: Layout, server: EmbeddedServer, connection: Connection): Promise<boolean> {
  const identity = join(layout.dir, server.name, 'agent/identity.json');
  if (!existsSync(identity)) return false;
  const { serverId } = JSON.parse(readFileSync(identity, 'utf8')) as { readonly serverId: string };
  const { servers } = await connection.call(ServerServiceService.listServers, { pageSize: 0, pageToken: '' });
  const known = servers.find(({ id }) => id === serverId);
  return known === undefined || known.state === 'revoked';
}
