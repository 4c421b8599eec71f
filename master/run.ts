// The running master: wires everything that lives long, in the order it needs each other, and ends it the other way.
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSea } from 'node:sea';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { pino } from 'pino';
import { createFailpoint } from '../shared/failpoint.ts';
import { descriptors } from '../shared/gen/descriptors.ts';
import { type IdPrefix, makeId } from '../shared/id.ts';
import { MASTER_IDENTITY } from '../shared/identity.ts';
import { knock } from '../shared/knock.ts';
import { VERSION } from '../shared/version.ts';
import { startBackupRounds } from './admin/backup-rounds.ts';
import { createDenials } from './admin/denials.ts';
import type { AdminDeps } from './admin/deps.ts';
import { joinCommand } from './admin/join-command.ts';
import { loadGraph } from './admin/load.ts';
import { startMoveBatches } from './admin/move-batch.ts';
import { startRenewals } from './admin/renewals.ts';
import { enableByPolicy } from './admin/server.ts';
import { startSpreadRounds } from './admin/spread-rounds.ts';
import { createDownloadListener, fileDigest } from './api/download.ts';
import { createApiListener } from './api/listener.ts';
import { makeFirstToken, writeWhole } from './bootstrap.ts';
import { createAcme } from './ca/acme.ts';
import { acmeAccount } from './ca/acme-account.ts';
import { openAuthority } from './ca/authority.ts';
import { hashPassword } from './ca/password-hash.ts';
import { published } from './ca/published.ts';
import { openSealer } from './ca/seal.ts';
import { openServing } from './ca/serving.ts';
import { judgeCertificate, makeSelfSigned } from './ca/site-certificate.ts';
import { newToken } from './ca/tokens.ts';
import { type MasterConfig, showListen } from './config.ts';
import { createEventBus } from './event/bus.ts';
import { openMeshKeys } from './mesh/keys.ts';
import { type Mesh, openMesh } from './mesh/mesh.ts';
import { createAgentSessions } from './session/agent-sessions.ts';
import { createEnrolService } from './session/enrol.ts';
import { createGate } from './session/gate.ts';
import { createAgentListener, createEnrolListener } from './session/listeners.ts';
import { openSqliteStore } from './store/open-sqlite.ts';
import type { CertificateTools } from './task/certificates.ts';
import { createHandlers } from './task/handlers/handlers.ts';
import { LIMITS } from './task/limits.ts';
import { previewPlan, withDraft } from './task/preview.ts';
import { createRunner } from './task/runner.ts';
import { isSettled } from './task/settled.ts';

/** Programs of their own, on processors that others want too. */
const HASHES_AT_ONCE = 2;
const MOST_HASHES_WAITING = 50;
const PREVIEW_TIMEOUT_MS = 20_000;
/** Each asks agents, which work for it: those who may only look have less of them. */
const VIEWERS_PREVIEWS_AT_ONCE = 2;
const PREVIEWS_AT_ONCE = 8;
const MOST_PREVIEWS_WAITING = 50;
const ARCHIVE = `aegir-agent-linux-${process.arch}.tar.gz`;

/** Resolves when it was told to stop and everything has ended. */
export async function run(config: MasterConfig, stop: Promise<string>): Promise<void> {
  const log = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const now = Date.now;
  const startedAt = now();
  const failpoint = createFailpoint(process.env);
  const closing: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end();
  };
  try {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
    const at = (...names: string[]) => join(config.dataDir, ...names);
    const store =
      config.store.kind === 'sqlite'
        ? await openSqliteStore({ dir: at('store') })
        : await (await import('./store/open-postgres.ts')).openPostgresStore({
            url: config.store.url,
            onConnectionLost: (err) => log.warn({ err }, 'lost a connection to PostgreSQL'),
          });
    closing.push(() => store.close());
    // Only after the store: its lock proves that no other master uses this directory.
    const authority = await openAuthority({ dir: at('ca'), now });
    const sealer = await openSealer(at('ca'));
    const newId = (prefix: IdPrefix) => makeId(prefix, now(), randomBytes(7));
    await makeFirstToken({
      store,
      tokenFile: at('admin.token'),
      newToken: () => newToken('api'),
      newTokenId: () => newId('tok'),
      now,
    });
    writeWhole(at('ca.pem'), authority.caPem, 0o644);

    const names = [...config.advertise, 'localhost', '127.0.0.1'];
    const serving = await openServing({
      authority,
      dir: at('ca'),
      file: 'master',
      identity: MASTER_IDENTITY,
      names,
      clientAuth: false,
      now,
      log,
    });
    closing.push(() => serving.close());
    const reached = (port: number) => config.advertise.map((host) => showListen({ host, port }));
    const first = (port: number) => showListen({ host: config.advertise[0], port });

    let mesh: Mesh | undefined;
    if (config.listen.mesh !== undefined) {
      const meshServing = await openServing({
        authority,
        dir: at('ca'),
        file: 'mesh',
        identity: 'aegir://mesh',
        names: [...names, config.listen.mesh.host],
        clientAuth: true,
        now,
        log,
      });
      closing.push(() => meshServing.close());
      const { host, port } = config.listen.mesh;
      mesh = await openMesh({
        dir: at('mesh'),
        host,
        port,
        serving: meshServing,
        ca: authority.caPem,
        keys: openMeshKeys(at('mesh', 'keys.json')),
        store,
        advertise: first(port),
        grantMs: config.transfer.grantMs,
        now,
        log: (level, text) => log[level](text),
      });
      closing.push(() => mesh?.close());
    }

    const events = createEventBus({
      store,
      sealer,
      now,
      onLost: (count, err) => log.error({ err, count }, 'cannot keep events'),
    });
    closing.push(() => events.close());

    const hashing = createGate(HASHES_AT_ONCE, MOST_HASHES_WAITING, 'keep the password');
    const previewing = {
      viewer: createGate(VIEWERS_PREVIEWS_AT_ONCE, MOST_PREVIEWS_WAITING, 'show the plan'),
      operator: createGate(PREVIEWS_AT_ONCE, MOST_PREVIEWS_WAITING, 'show the plan'),
      admin: createGate(PREVIEWS_AT_ONCE, MOST_PREVIEWS_WAITING, 'show the plan'),
    };
    const denials = createDenials({
      append: (record) => store.audit.append(record),
      now,
      onError: (err) => log.error({ err }, 'cannot write the audit log'),
    });
    closing.push(() => denials.close());
    const denied = (peer: string, method: string, outcome: string) => denials.note({ peer, method, outcome });

    // Sessions tell admin of inventories, and admin asks sessions: it is there before the first agent can connect.
    let admin: AdminDeps | undefined;
    const agents = createAgentSessions({
      store,
      authority,
      log,
      now,
      denied,
      masters: () => reached(config.listen.agent.port),
      enrolAddresses: () => reached(config.listen.enrol.port),
      onInventory: async (serverId) => {
        if (admin !== undefined) await enableByPolicy(admin, { actor: 'policy', role: 'admin' }, serverId);
      },
      meshCredentials: async (server, meshKey) => mesh?.credentials(server.id, meshKey),
      isSettled: (actionId) => isSettled(store, actionId),
    });
    const seal = (text: string) => {
      const id = newId('sec');
      return { id, sealed: sealer.seal(id, text) };
    };
    const authorityOfSites = createAcme(
      { ...config.acme, file: config.file },
      acmeAccount(store, sealer, config.acme.directory ?? ''),
    );
    const certificates: CertificateTools = {
      selfSigned: async (siteNames, at) => {
        const made = await makeSelfSigned(siteNames, at);
        return { ...made, ...judgeCertificate(made.chainPem, made.keyPem) };
      },
      judge: judgeCertificate,
      authority: authorityOfSites,
      published: (zone, proofs) => published(zone, proofs),
      seal,
    };
    const graph = () => loadGraph(store);
    const handlerDeps = {
      ...{ store, agents, unseal: sealer.unseal, now, certificates, graph, knock },
      ...(mesh === undefined ? {} : { grant: mesh.grant }),
    };
    const handlers = createHandlers(handlerDeps);
    const runner = createRunner({ store, handlers, events, failpoint, limits: LIMITS, owner: randomUUID(), now, log });

    // Where an administrator put one, or beside the binary, or where `npm run build` makes it.
    const built = isSea() ? dirname(process.execPath) : join(import.meta.dirname, '../dist');
    const archivePath = [config.dataDir, built].map((dir) => join(dir, ARCHIVE)).find(existsSync);
    const archive = archivePath === undefined ? undefined : { name: ARCHIVE, digest: await fileDigest(archivePath) };
    const joinFacts = {
      web: first(config.listen.web.port),
      enrol: first(config.listen.enrol.port),
      caPin: authority.caPin(),
      archive,
    };
    admin = {
      store,
      agents,
      facts: {
        version: VERSION,
        startedAt,
        caPin: authority.caPin(),
        addresses: [config.listen.api, config.listen.agent, config.listen.enrol, config.listen.web].map(showListen),
        acmeAgreed: config.acme.agreed,
        configFile: config.file,
        meshState: () => mesh?.state() ?? 'off',
      },
      now,
      newId,
      newSecret: () => randomBytes(24).toString('base64url'),
      seal: sealer.seal,
      unseal: sealer.unseal,
      newKey: () => randomBytes(32).toString('hex'),
      newToken,
      judgeCertificate,
      hashPassword: (password, gone) => hashing.run(() => hashPassword(password, gone)),
      joinCommand: (token) => joinCommand(joinFacts, token),
      revokeMesh: async (serverId) => mesh?.revoke(serverId),
      wakeRunner: () => runner.wake(),
      denied: denials.note,
      watch: events.watch,
      preview: (plan, draft, role) =>
        previewing[role].run(() =>
          previewPlan(
            plan,
            createHandlers({ ...handlerDeps, store: withDraft(store, draft) }),
            AbortSignal.timeout(PREVIEW_TIMEOUT_MS),
          ),
        ),
    };

    const web = await createDownloadListener({
      ...config.listen.web,
      serving,
      archives: archivePath === undefined ? {} : { [ARCHIVE]: archivePath },
    });
    closing.push(() => web.close());
    const enrol = await createEnrolListener({
      address: showListen(config.listen.enrol),
      connections: config.connections.enrol,
      serving,
      service: createEnrolService({
        store,
        authority,
        log,
        now,
        denied,
        masters: () => reached(config.listen.agent.port),
        enrolAddresses: () => reached(config.listen.enrol.port),
      }),
    });
    closing.push(() => enrol.close());
    const agentListener = await createAgentListener({
      address: showListen(config.listen.agent),
      connections: config.connections.agent,
      serving,
      caPem: authority.caPem,
      service: agents.service,
    });
    closing.push(() => agentListener.close());
    // Runner first, then sessions: what is at work is let go before its agents are.
    closing.push(() => agents.close());
    if (config.store.kind === 'sqlite') await store.tasks.breakLeases();
    runner.start();
    closing.push(() => runner.stop());
    const renewals = startRenewals(admin, log);
    closing.push(() => renewals.close());
    const backupRounds = startBackupRounds(admin, log);
    closing.push(() => backupRounds.close());
    const spreadRounds = startSpreadRounds(admin, log);
    closing.push(() => spreadRounds.close());
    const batches = startMoveBatches(admin, log);
    closing.push(() => batches.close());
    const definitions = loadFileDescriptorSetFromBuffer(Buffer.from(descriptors, 'base64'));
    const api = await createApiListener(admin, {
      address: showListen(config.listen.api),
      connections: config.connections.api,
      serving,
      definitions,
      log,
    });
    closing.push(() => api.close());

    log.info({ version: VERSION, addresses: admin.facts.addresses, caPin: authority.caPin() }, 'master runs');
    log.info({ signal: await stop }, 'master stops');
  } finally {
    await close();
    log.info('master ended');
  }
}
