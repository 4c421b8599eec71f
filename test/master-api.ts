// A master's Admin API for tests, over real TLS on loopback: real store, admin, rights and listener; agents are scripted.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadFileDescriptorSetFromBuffer, type PackageDefinition } from '@grpc/proto-loader';
import { pino } from 'pino';
import { createDenials } from '../master/admin/denials.ts';
import type { AdminDeps } from '../master/admin/deps.ts';
import { loadGraph } from '../master/admin/load.ts';
import { createApiListener } from '../master/api/listener.ts';
import { openAuthority } from '../master/ca/authority.ts';
import { openServing, type Serving } from '../master/ca/serving.ts';
import { newToken } from '../master/ca/tokens.ts';
import { createEventBus, type EventBus } from '../master/event/bus.ts';
import type { Listener } from '../master/listen/grpc-listener.ts';
import type { TokenRecord } from '../master/store/model.ts';
import { openSqliteStore } from '../master/store/open-sqlite.ts';
import type { Store } from '../master/store/store.ts';
import { createHandlers } from '../master/task/handlers/handlers.ts';
import { previewPlan, withDraft } from '../master/task/preview.ts';
import { createScriptAgents, type ScriptAgents } from '../master/task/testing/script-agents.ts';
import { createScriptCertificates } from '../master/task/testing/script-certificates.ts';
import { descriptors } from '../shared/gen/descriptors.ts';
import { makeId } from '../shared/id.ts';
import { MASTER_IDENTITY } from '../shared/identity.ts';
import { snapshot } from './records.ts';

export interface MasterApi {
  readonly dir: string;
  readonly store: Store;
  readonly agents: ScriptAgents;
  readonly events: EventBus;
  readonly deps: AdminDeps;
  readonly listener: Listener;
  readonly serving: Serving;
  readonly definitions: PackageDefinition;
  readonly address: string;
  readonly caPem: string;
  /** What the master would have logged as its own faults. */
  readonly faults: unknown[];
  onWake: () => void;
  /** A token's value. */
  token(patch?: Partial<TokenRecord>): Promise<string>;
  close(): Promise<void>;
}

/** servingAge: how far the clock of its certificates goes ahead at a given moment, ms. */
export async function openMasterApi(servingAge = () => 0): Promise<MasterApi> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-api-'));
  const now = Date.now;
  const log = pino({ level: 'silent' });
  const store = await openSqliteStore({ dir: join(dir, 'store') });
  await store.transaction(async (tx) => {
    for (const server of snapshot.servers) await tx.servers.insert(server);
    for (const service of snapshot.services) await tx.services.insert(service);
    for (const platform of snapshot.platforms) await tx.platforms.insert(platform);
    for (const zone of snapshot.zones) await tx.zones.insert(zone);
    for (const record of snapshot.records) await tx.records.insert(record);
    for (const site of snapshot.sites) {
      for (const id of [site.saltSecret, site.dbPasswordSecret]) if (id) await tx.secrets.insert({ id, sealed: 'x' });
      await tx.sites.insert(site);
    }
  });
  const authority = await openAuthority({ dir: join(dir, 'ca'), now });
  const serving = await openServing({
    ...{ authority, dir: join(dir, 'ca'), file: 'master', identity: MASTER_IDENTITY, names: ['127.0.0.1'] },
    ...{ clientAuth: false, now: () => now() + servingAge(), log },
  });
  const sealer = { seal: (_: string, text: string) => text, unseal: (_: string, sealed: string) => sealed };
  const faults: unknown[] = [];
  const events = createEventBus({ store, sealer, now, onLost: (_, cause) => faults.push(cause) });
  const agents = createScriptAgents();
  const handlerDeps = {
    ...{ store, agents, unseal: sealer.unseal, now, certificates: createScriptCertificates() },
    ...{ graph: () => loadGraph(store), knock: async () => 'open' as const },
  };
  const denials = createDenials({
    ...{ append: (record) => store.audit.append(record), now, onError: (cause) => faults.push(cause) },
  });
  const deps: AdminDeps = {
    store,
    agents,
    facts: {
      version: '0.0.0',
      startedAt: now(),
      caPin: '',
      addresses: [],
      acmeAgreed: true,
      configFile: '/etc/aegir/master.json',
      meshState: () => 'off',
    },
    now,
    newId: (prefix) => makeId(prefix, now(), randomBytes(7)),
    newSecret: () => randomBytes(24).toString('base64url'),
    seal: sealer.seal,
    unseal: sealer.unseal,
    newKey: () => randomBytes(32).toString('hex'),
    newToken,
    hashPassword: async () => `$6$saltsalt$${'h'.repeat(86)}`,
    judgeCertificate: handlerDeps.certificates.judge,
    joinCommand: (value) => `join ${value}`,
    revokeMesh: async () => {},
    wakeRunner: () => api.onWake(),
    denied: denials.note,
    watch: events.watch,
    preview: (plan, draft) =>
      previewPlan(plan, createHandlers({ ...handlerDeps, store: withDraft(store, draft) }), AbortSignal.timeout(5000)),
  };
  const definitions = loadFileDescriptorSetFromBuffer(Buffer.from(descriptors, 'base64'));
  const listener = await createApiListener(deps, {
    ...{ address: '127.0.0.1:0', serving, definitions },
    log: { error: (fields) => faults.push(fields['err']) },
  });
  const api: MasterApi = {
    ...{ dir, store, agents, events, deps, listener, serving, definitions, faults, onWake: () => {} },
    address: `127.0.0.1:${listener.port}`,
    caPem: authority.caPem,
    async token(patch = {}) {
      const { value, hash } = newToken(patch.kind ?? 'api');
      await store.tokens.insert({
        ...{ id: deps.newId('tok'), kind: 'api', hash, description: '', role: 'admin', usesLeft: 0 },
        ...{ expiresAt: null, createdAt: now(), revokedAt: null, autoAccept: false, autoEnable: [] },
        ...patch,
      });
      return value;
    },
    async close() {
      await listener.close();
      serving.close();
      await events.close();
      await denials.close();
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
  return api;
}

/** Of everything in the store that a call may change: equal before and after means that nothing was. */
export async function fingerprint(store: Store): Promise<string> {
  const all = await Promise.all([
    ...[store.servers.find(), store.services.find(), store.platforms.find(), store.sites.find(), store.clients.find()],
    ...[store.zones.find(), store.records.find()],
    ...[store.tokens.find(), store.secrets.find(), store.settings.find(), store.certificates.find()],
    store.tasks.list({ limit: 1000 }),
  ] as Promise<unknown>[]);
  const json = JSON.stringify(all, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return createHash('sha256').update(json).digest('hex');
}
