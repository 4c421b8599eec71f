// The agent's program: run, join, status. The only place that wires the agent's long-lived parts.
import { randomUUID } from 'node:crypto';
import { join as joinPath } from 'node:path';
import { Command, CommanderError } from 'commander';
import type { Logger } from 'pino';
import { AegirError, toAegirError } from '../shared/error.ts';
import { createFailpoint } from '../shared/failpoint.ts';
import { createActions } from './action/actions.ts';
import { createApps } from './app/apps.ts';
import { createBackups } from './backup/backups.ts';
import { createPartKind } from './backup/parts.ts';
import { createStores } from './backup/store/stores.ts';
import { type AgentConfig, DEFAULT_STATE, loadConfig } from './config.ts';
import { createCron } from './cron/cron.ts';
import { createDispatch } from './dispatch.ts';
import { createEngines } from './engine/engines.ts';
import { createGateState } from './gate/gate-state.ts';
import { createGates } from './gate/gates.ts';
import { createHost, ownFiles } from './host-of.ts';
import { createIdentityStore } from './identity.ts';
import { install } from './install.ts';
import { createDetectors } from './inventory/detectors.ts';
import { createInventory } from './inventory.ts';
import { type JoinArguments, join } from './join.ts';
import { openJournal } from './journal.ts';
import { createLogger } from './logger.ts';
import { createMeshConnection } from './mesh/connection.ts';
import { openMeshKey } from './mesh/key.ts';
import { createProbeKind } from './mesh/probe.ts';
import { createTransfers } from './mesh/transfers.ts';
import { createOwnMemory } from './own-memory.ts';
import { extractBackup, listBackups, type ReadStoreOptions } from './read-store.ts';
import { createReports, type Reports } from './reports.ts';
import { createUplink } from './session/uplink.ts';
import { createSession } from './session.ts';
import { openSiteBook } from './site-book.ts';
import { createStatusFile, readStatus } from './status.ts';
import { createUpstream } from './upstream.ts';
import { createUsage } from './usage/usage.ts';
import { AGENT_VERSION } from './version.ts';

const EXIT_ERROR = 1;
const EXIT_REVOKED = 3;
const GRACE_MS = 10_000;
/** Cron runs at a time: half of the processors, within these. */
const LEAST_CRON = 2;
const MOST_CRON = 8;

/** Resolves with the exit code. */
async function run(config: AgentConfig, log: Logger): Promise<number> {
  const files = ownFiles();
  const store = createIdentityStore(files, config.stateDir);
  const identity = await store.load();
  if (identity === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot run: this host has not joined (no ${store.path}); use the line that \`aegir server join-command\` prints`,
    );
  }
  const now = Date.now;
  const bootId = randomUUID();
  const failpoint = createFailpoint(process.env);
  // Before the host: its lock keeps a second agent of this state from touching anything.
  const journal = openJournal(config.stateDir, { boot: bootId, serverId: identity.serverId, now });
  const stop = listenForStop(); // from here on there is something to put in order
  const host = await createHost(config, log);
  const engines = createEngines();
  const apps = createApps();
  const mesh = createMeshConnection({
    serverId: identity.serverId,
    // A host that joins again is another server, and a key is one server's for ever.
    key: openMeshKey(joinPath(config.stateDir, `mesh-${identity.serverId}.seed`)),
    identity: async () => {
      const { certificatePem, keyPem, caPem } = (await store.load()) ?? identity;
      return { certificate: certificatePem, key: keyPem, ca: caPem };
    },
    log: (level, text) => log[level](text),
  });
  const stores = createStores({ host, engines, now, log: (level, text) => log[level](text) });
  const backups = createBackups({ host, now, log: (level, text) => log[level](text) });
  const transfers = createTransfers({
    me: identity.serverId,
    links: mesh,
    kinds: [createProbeKind(), createPartKind([backups.snapshots.source, stores.offers])],
    bytesPerSecond: config.transfer.bytesPerSecond,
    log: (level, text) => log[level](text),
    now,
  });
  const upstream = createUpstream();
  const inventory = createInventory({
    host,
    engines,
    detectors: createDetectors(),
    agentVersion: AGENT_VERSION,
    log,
    now,
  });
  const book = openSiteBook(config.stateDir, identity.serverId);
  const onNews = () => reports.poke();
  const { cpus } = await host.identity();
  const atOnce = Math.min(MOST_CRON, Math.max(LEAST_CRON, Math.floor(cpus / 2)));
  const cron = createCron({ book, host, apps, log, failpoint, now, atOnce, onNews });
  const gates = createGates({ host, state: createGateState(files, config.stateDir), log, now });
  const usage = createUsage({
    ...{ book, host, engines, serverId: identity.serverId, log, now, onNews },
    // The one web server of a site that runs its cron counts what they share; the master takes the largest.
    sharedRootOf: (siteId) => cron.get(siteId)?.entry.sharedRoot ?? '',
  });
  const reports: Reports = createReports(book, cron, usage.table);
  const uplink = createUplink();
  const dispatch = createDispatch({
    host,
    tools: {
      serverId: identity.serverId,
      agentVersion: AGENT_VERSION,
      engines,
      apps,
      cron,
      transfers,
      backups,
      stores,
      gates,
      uplink,
      now,
    },
    actions: createActions(),
    journal,
    upstream,
    failpoint,
    log,
    boot: bootId,
    onChanged: inventory.poke,
  });
  const ownMemory = createOwnMemory({ busy: dispatch.isAtWork, log });
  const status = createStatusFile(files, config.stateDir, now);
  const session = createSession({
    identity,
    store,
    bootId,
    dispatch,
    upstream,
    inventory,
    reports,
    onLook: usage.poke,
    mesh,
    onMaster: uplink.use,
    failpoint,
    log,
    now,
    onState: (state) =>
      void status.write(state).catch((error: unknown) => log.warn({ err: error }, 'cannot write the status')),
  });

  void stop.came.then(async (signal) => {
    log.info({ signal }, 'stopping: running actions have 10 s');
    await Promise.all([dispatch.stop(GRACE_MS), cron.stop()]); // the session stays, so that results still go up
    session.stop();
  });
  log.info({ version: AGENT_VERSION, server: identity.serverId, name: identity.name, boot: bootId }, 'agent begins');
  try {
    // Visitors may be waiting for them.
    await gates.start();
    inventory.start();
    // Before any action can come: what runs of a former agent has ended then.
    await cron.start((siteId) => dispatch.isBusy(`site/${siteId}`));
    usage.start();
    backups.start();
    ownMemory.start();
    const end = await session.run();
    if (end === 'revoked') {
      log.error('this server was revoked by its master: the agent stops; to come back, join again with --again');
      await dispatch.stop(0);
    }
    return end === 'revoked' ? EXIT_REVOKED : 0;
  } finally {
    stop.forget();
    ownMemory.stop();
    inventory.stop();
    await cron.stop();
    await usage.stop();
    await gates.stop();
    await transfers.close();
    await backups.close();
    await stores.close();
    await mesh.close();
    await host.close();
    book.close();
    journal.close();
    log.info('agent ended');
  }
}

interface StopSignal {
  /** Resolves with the first signal's name; later ones change nothing. */
  readonly came: Promise<string>;
  forget(): void;
}

function listenForStop(): StopSignal {
  const { promise, resolve } = Promise.withResolvers<string>();
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.on(signal, resolve);
  return {
    came: promise,
    forget() {
      for (const signal of signals) process.off(signal, resolve);
    },
  };
}

interface CommonOptions {
  readonly state?: string;
  readonly config?: string;
}

function createProgram(setCode: (code: number) => void): Command {
  const program = new Command('aegir-agent')
    .description("Carries out a master's typed actions on this host")
    .version(AGENT_VERSION)
    .exitOverride();
  const common = (command: Command) =>
    command
      .option('--state <dir>', `identity and journal (default ${DEFAULT_STATE}, or the configuration's stateDir)`)
      .option('--config <file>', 'configuration, JSON');

  common(program.command('run').description('run the agent')).action(async (options: CommonOptions) => {
    const config = loadConfig(options.config, options.state);
    setCode(await run(config, createLogger(config.logLevel)));
  });

  common(program.command('join').description('join a master'))
    .requiredOption('--master <host:port>', "the master's enrolment address")
    .requiredOption('--ca-pin <sha256:…>', "SHA-256 of the master's authority, as it printed it")
    .option('--token-file <file>', 'file that holds the join token; - for standard input')
    .option('--token <token>', 'join token; other users of this host may see it')
    .option('--name <name>', "name of the server (default the host's)")
    .option('--again', 'replace the identity that this host has')
    .action(async (options: CommonOptions & JoinArguments) => {
      const config = loadConfig(options.config, options.state);
      process.stdout.write(`${await join(options, config, process.env)}\n`);
    });

  common(program.command('install').description('install this binary as a service, join a master, start'))
    .requiredOption('--master <host:port>', "the master's enrolment address")
    .requiredOption('--ca-pin <sha256:…>', "SHA-256 of the master's authority, as it printed it")
    .option('--token-file <file>', 'file that holds the join token; - for standard input')
    .option('--token <token>', 'join token; other users of this host may see it')
    .option('--name <name>', "name of the server (default the host's)")
    .option('--again', 'replace the identity that this host has')
    .action(async (options: CommonOptions & JoinArguments) => {
      const config = loadConfig(options.config, options.state);
      await install({
        hasIdentity: async () => (await createIdentityStore(ownFiles(), config.stateDir).load()) !== undefined,
        join: () => join(options, config, process.env),
        again: options.again === true,
        say: (line) => process.stdout.write(`${line}\n`),
      });
    });

  common(program.command('status').description('who this host is and whether its agent runs')).action(
    async (options: CommonOptions) => {
      const { stateDir } = loadConfig(options.config, options.state);
      const files = ownFiles();
      const status = await readStatus(files, createIdentityStore(files, stateDir), stateDir, Date.now());
      process.stdout.write(`${status.lines.join('\n')}\n`);
      setCode(status.running ? 0 : EXIT_ERROR);
    },
  );
  const backup = program.command('backup').description('read backups of a store without a master');
  const ofStore = (command: Command) =>
    command
      .requiredOption('--store <dir>', 'directory of the store, which has backups/ and chunks/ in it')
      .option('--key-file <file>', 'key of an encrypted store, 64 hexadecimal digits; - for standard input');
  ofStore(backup.command('list').description('the backups that are there')).action(
    async (options: ReadStoreOptions) => {
      process.stdout.write(await listBackups(options));
    },
  );
  ofStore(backup.command('extract <id>').description('a backup as a tar on standard output')).action(
    (id: string, options: ReadStoreOptions) => extractBackup(id, options, process.stdout),
  );
  return program;
}

async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  try {
    const program = createProgram((next) => {
      code = next;
    });
    await program.parseAsync([...argv]);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const failure = toAegirError(error, 'go on');
    process.stderr.write(`aegir-agent: ${failure.message}\n`);
    return EXIT_ERROR;
  }
}

// Not top-level await: the binary is one CommonJS file.
void main(process.argv).then((code) => process.exit(code));
