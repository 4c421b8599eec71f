// A master's agent side for tests: real store, authority and listeners on loopback, and identities to call it with.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { HostFacts } from '../../../shared/gen/aegir/v1/agent.ts';
import { makeId } from '../../../shared/id.ts';
import { type Authority, openAuthority } from '../../ca/authority.ts';
import { openServing, type Serving } from '../../ca/serving.ts';
import { opensslRequest } from '../../ca/testing/openssl.ts';
import { newToken } from '../../ca/tokens.ts';
import type { Listener } from '../../listen/grpc-listener.ts';
import type { ServerRecord, TokenRecord } from '../../store/model.ts';
import { openSqliteStore } from '../../store/open-sqlite.ts';
import type { Store } from '../../store/store.ts';
import { type AgentSessions, type AgentSessionsDeps, createAgentSessions } from '../agent-sessions.ts';
import { createEnrolService } from '../enrol.ts';
import { createAgentListener, createEnrolListener } from '../listeners.ts';

export interface Identity {
  readonly serverId: string;
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly serial: string;
}

export interface Rig {
  readonly dir: string;
  readonly store: Store;
  readonly authority: Authority;
  readonly serving: Serving;
  readonly sessions: AgentSessions;
  readonly agents: Listener;
  readonly enrol: Listener;
  /** Milliseconds that the master's clock is ahead. */
  clock: number;
  now(): number;
  /** A server that has joined. */
  server(state?: ServerRecord['state']): Promise<Identity>;
  token(changes?: Partial<TokenRecord>): Promise<string>;
  close(): Promise<void>;
}

export const DAY_MS = 24 * 3_600_000;

/** Keys take long to make and tests don't care whose is whose. */
let sharedKey: ReturnType<typeof opensslRequest> | undefined;
export function request(): ReturnType<typeof opensslRequest> {
  sharedKey ??= opensslRequest();
  return sharedKey;
}

export function facts(changes: Partial<HostFacts> = {}): HostFacts {
  return HostFacts.fromPartial({
    hostname: 'web1.example.org',
    os: 'Debian GNU/Linux 12',
    addresses: ['127.0.1.1'],
    sourceAddresses: ['127.0.1.1'],
    hostKind: 'embedded',
    ...changes,
  });
}

export async function createRig(
  options: Omit<Partial<AgentSessionsDeps>, 'store' | 'authority' | 'now' | 'log'> = {},
  servingAgeMs = 0,
): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-session-'));
  const log = pino({ level: process.env['AEGIR_TEST_LOG'] ?? 'silent' });
  // The authority is old, so that certificates of former days can be made.
  let clock = -100 * DAY_MS;
  const now = () => Date.now() + clock;
  const store = await openSqliteStore({ dir: join(dir, 'store') });
  const authority = await openAuthority({ dir: join(dir, 'ca'), now });
  clock = -servingAgeMs;
  const serving = await openServing({
    authority,
    dir: join(dir, 'ca'),
    file: 'master',
    identity: 'aegir://master',
    names: ['127.0.0.1'],
    clientAuth: false,
    now,
    log,
  });
  clock = 0;
  const deps = {
    store,
    authority,
    log,
    now,
    masters: () => ['127.0.0.1:7444'],
    enrolAddresses: () => ['127.0.0.1:7445'],
  };
  const sessions = createAgentSessions({ heartbeatSeconds: 10, ...options, ...deps });
  const address = '127.0.0.1:0';
  const enrol = await createEnrolListener({ address, serving, service: createEnrolService(deps) });
  const agents = await createAgentListener({ address, serving, caPem: authority.caPem, service: sessions.service });

  const rig: Rig = {
    dir,
    store,
    authority,
    serving,
    sessions,
    agents,
    enrol,
    get clock() {
      return clock;
    },
    set clock(ms) {
      clock = ms;
    },
    now,
    async server(state = 'accepted') {
      const serverId = makeId('srv', now(), randomBytes(7));
      const { csrPem, keyPem } = request();
      const issued = await authority.issueServer(serverId, csrPem);
      await store.servers.insert({
        id: serverId,
        name: serverId.replace('srv-', 'web-'),
        state,
        facts: facts(),
        autoEnable: [],
        enrolledAt: now(),
        lastSeenAt: null,
        certificateExpiresAt: issued.notAfter,
      });
      await store.certificates.insert({ id: issued.serial, serverId, notAfter: issued.notAfter, revokedAt: null });
      return { serverId, certificatePem: issued.pem, keyPem, serial: issued.serial };
    },
    async token(changes = {}) {
      const { value, hash } = newToken('join');
      await store.tokens.insert({
        id: makeId('tok', now(), randomBytes(7)),
        kind: 'join',
        hash,
        description: '',
        role: '',
        usesLeft: 1,
        expiresAt: now() + 3_600_000,
        createdAt: now(),
        revokedAt: null,
        autoAccept: false,
        autoEnable: [],
        ...changes,
      });
      return value;
    },
    async close() {
      sessions.close();
      await Promise.all([agents.close(), enrol.close()]);
      serving.close();
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
  return rig;
}
