// The processes of `up`: one master with its mesh node, two agents with embedded servers (web1 and db1).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '../../master/cli/connection.ts';
import { ServerServiceService, ServiceServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import type { Child } from './child.ts';
import type { Layout } from './layout.ts';
import { connectWhenReady, LOOPBACK, SERVERS, startAgent, startMaster, until } from './processes.ts';
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
    if (!layout.dir.includes('aegir-check-')) {
      const context = {
        address: apiAddress,
        ca: readFileSync(join(layout.master, 'ca.pem'), 'utf8'),
        token: readFileSync(tokenFile, 'utf8').trim(),
      };
      const told = rememberContext(process.env, context, layout.dir);
      if (told !== undefined) step(told);
    }
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
