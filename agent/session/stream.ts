// One session: one stream to one master, from Hello to its end. What goes wrong is its end, never a throw.
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { AegirError, ERROR_CODES } from '../../shared/error.ts';
import type { Failpoint } from '../../shared/failpoint.ts';
import {
  type AgentMessage,
  AgentServiceClient,
  type Inventory,
  type MasterMessage,
  type Welcome,
} from '../../shared/gen/aegir/v1/agent.ts';
import type { Dispatch } from '../dispatch.ts';
import type { AgentIdentity } from '../identity.ts';
import type { Inventories } from '../inventory.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { jittered } from '../poller.ts';
import type { Reports } from '../reports.ts';
import { CHANNEL_OPTIONS, isServiceError, masterCredentials } from '../rpc.ts';
import type { Upstream } from '../upstream.ts';
import { renew, renewalRetry, untilRenewal } from './renewal.ts';
import { createTimers } from './timers.ts';
import { createWriter } from './writer.ts';

const PROTOCOL = 1;
const HANG_UP_MS = 1_000; // for the master to end its half

export interface StreamOptions {
  readonly address: string;
  readonly identity: AgentIdentity;
  readonly bootId: string;
  readonly dispatch: Pick<Dispatch, 'receive' | 'cancel' | 'acknowledge' | 'openActions' | 'highestGeneration'>;
  readonly upstream: Upstream;
  readonly inventory: Inventories;
  readonly reports: Reports;
  /** The master asked for a look at the host. */
  readonly onLook?: () => void;
  readonly mesh: Mesh;
  readonly failpoint: Failpoint;
  readonly log: Logger;
  readonly welcomeMs: number;
  readonly now: () => number;
  /** Ends the session. */
  readonly signal: AbortSignal;
  readonly onWelcome: (welcome: Welcome) => void;
  /** A renewed identity; the session ends once it is kept. */
  readonly onRenewed: (identity: AgentIdentity) => Promise<void>;
}

export interface StreamEnd {
  readonly is: 'lost' | 'stopped' | 'renewed' | 'revoked' | 'replaced';
  readonly why: string;
  readonly welcomed: boolean;
}

export async function runStream(options: StreamOptions): Promise<StreamEnd> {
  // Before dialling: an inventory may take longer than a master waits for Hello.
  const inventory = await options.inventory.latest();
  const client = new AgentServiceClient(
    options.address,
    masterCredentials(options.identity.caPem, options.identity),
    CHANNEL_OPTIONS,
  );
  try {
    return await converse(client, client.session(), inventory, options);
  } finally {
    client.close();
  }
}

function converse(
  client: AgentServiceClient,
  call: ClientDuplexStream<AgentMessage, MasterMessage>,
  inventory: Inventory,
  options: StreamOptions,
): Promise<StreamEnd> {
  const { dispatch, mesh, log, now } = options;
  const { promise, resolve } = Promise.withResolvers<StreamEnd>();
  const timers = createTimers();
  const writer = createWriter(call, options.upstream, options.failpoint);
  let welcomed = false;
  let ended = false;

  const end = (is: StreamEnd['is'], why: string) => {
    if (ended) return;
    ended = true;
    timers.clear();
    writer.close();
    options.signal.removeEventListener('abort', stop);
    options.inventory.onNews(() => {});
    options.reports.close();
    call.end();
    const over = () => {
      clearTimeout(hangUp);
      call.cancel();
      resolve({ is, why, welcomed });
    };
    const hangUp = setTimeout(over, HANG_UP_MS);
    if (is === 'lost') over();
    else call.once('status', over);
  };
  const stop = () => end('stopped', 'the agent stops');

  const sendInventory = (news: Inventory) => {
    writer.control({ $case: 'inventory', value: news });
    options.inventory.told(news);
  };
  const heartbeat = () => {
    const { user, system } = process.cpuUsage();
    writer.control({
      $case: 'heartbeat',
      value: {
        time: new Date(now()),
        rssBytes: BigInt(process.memoryUsage.rss()),
        cpuMillis: BigInt(Math.round((user + system) / 1000)),
        meshState: mesh.state(),
      },
    });
  };
  const renewWhenDue = (ms: number) => {
    timers.at('renew', ms, async () => {
      try {
        const renewed = await renew(client, options.identity);
        if (ended) return; // the one we have is good for a while, and the next session renews
        await options.onRenewed(renewed);
        end('renewed', 'the certificate was renewed');
      } catch (error) {
        if (ended) return;
        if (error instanceof AegirError && error.code === 'permission_denied') return end('revoked', error.message);
        log.warn({ err: error }, 'cannot renew the certificate; trying again');
        renewWhenDue(renewalRetry(options.identity.certificatePem, now()));
      }
    });
  };

  const onWelcome = (welcome: Welcome) => {
    if (welcomed) return;
    welcomed = true;
    timers.cancel('welcome');
    options.onWelcome(welcome);
    options.inventory.setInterval(clamp(welcome.inventorySeconds, 10, 86_400, 300) * 1000);
    options.inventory.onNews(sendInventory);
    timers.every('heartbeat', () => jittered(clamp(welcome.heartbeatSeconds, 1, 300, 15) * 1000, 0.1), heartbeat);
    renewWhenDue(untilRenewal(options.identity.certificatePem, now()));
    writer.open();
    heartbeat();
    options.reports.open((batch) => writer.control({ $case: 'siteReports', value: batch }));
  };

  const receive = (body: NonNullable<MasterMessage['body']>) => {
    switch (body.$case) {
      case 'welcome':
        return onWelcome(body.value);
      case 'action':
        return dispatch.receive(body.value);
      case 'cancel':
        return dispatch.cancel(body.value.actionId);
      case 'ack':
        return dispatch.acknowledge(body.value.actionId);
      case 'mesh': {
        mesh.update(body.value);
        const left = (body.value.expiresAt?.getTime() ?? 0) - now();
        const ask = () => writer.control({ $case: 'mesh', value: { meshKey: mesh.key() } });
        if (left > 0) timers.at('mesh', jittered((left * 2) / 3, 0.1), ask);
        return;
      }
      case 'reportsTaken':
        return options.reports.taken(body.value);
      case 'takeInventory':
        options.onLook?.();
        return void options.inventory.take().then(
          (taken) => !ended && sendInventory(taken),
          (error: unknown) => log.warn({ err: error }, 'cannot take the inventory that the master asked for'),
        );
      case 'goodbye':
        if (body.value.reason === 'revoked') return end('revoked', 'the master revoked this server');
        if (body.value.reason === 'replaced') return end('replaced', 'another agent of this identity took over');
        return end('lost', `the master said goodbye (${body.value.reason.slice(0, 100)})`);
    }
  };

  call.on('data', (message) => {
    if (ended || message.body === undefined) return; // an unknown kind is a newer master's
    try {
      receive(message.body);
    } catch (error) {
      log.error({ err: error, kind: message.body.$case }, 'cannot handle a message of the master');
      end('lost', 'a message could not be handled');
    }
  });
  call.on('error', (error) => {
    if (isServiceError(error) && error.code === ERROR_CODES.permission_denied) {
      return end('revoked', error.details || 'the master refuses this identity');
    }
    end('lost', isServiceError(error) ? error.details || error.message : error.message);
  });
  call.on('end', () => end('lost', 'the master closed the stream'));
  timers.at('welcome', options.welcomeMs, () => end('lost', `no welcome within ${options.welcomeMs / 1000} s`));
  if (options.signal.aborted) stop();
  else options.signal.addEventListener('abort', stop, { once: true });

  if (!ended) {
    options.inventory.told(inventory);
    writer.control({
      $case: 'hello',
      value: {
        protocol: PROTOCOL,
        bootId: options.bootId,
        inventory,
        openActions: [...dispatch.openActions()],
        meshKey: mesh.key(),
        highestGeneration: dispatch.highestGeneration(),
      },
    });
  }
  return promise;
}

/** 0 is the default. */
function clamp(value: number, min: number, max: number, byDefault: number): number {
  return value === 0 ? byDefault : Math.min(max, Math.max(min, value));
}
