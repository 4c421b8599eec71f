// The stage on which a db engine is tested: a real server in a private directory, the engine, an administrator who is not
// Aegir, and visitors who log in as a site does from an address of choice.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databaseName, databaseUser } from '../../../shared/database-name.ts';
import type { DbSpec, ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Command, Daemon, DaemonName, Host } from '../../host/host.ts';
import { type ActionContext, type Checking, type Engine, runChanges } from '../engine.ts';
import { openRelay } from './db-relay.ts';
import { contextOf, summaries } from './interruption.ts';

export type DbEngine = Engine<'db'> & Checking;

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Harm that somebody does to a site by hand. */
export interface DbDrift {
  readonly what: string;
  /** SQL of an administrator. */
  readonly harm: (spec: DbSpec, address: string) => string;
  /** What a summary says about it. */
  readonly says: string;
  /** The database itself was lost: what it held cannot come back. */
  readonly loses?: boolean;
}

/** What dumps and restores are tried with; SQL is the site's where nothing else is said. */
export interface DbDumps {
  /** Fills its database with all that the server knows of; SQL that answers what is in it; SQL that uses it, and the answer. */
  readonly rich: string;
  readonly look: string;
  readonly use: string;
  readonly used: readonly string[];
  /** Two tables; a transaction that writes to both; SQL that answers how much is in each. */
  readonly pairs: { readonly make: string; readonly write: string; readonly look: string };
  /** What somebody may have made his dump hold. */
  readonly hostile: readonly {
    readonly what: string;
    readonly sql: (of: { readonly spec: DbSpec; readonly victim: DbSpec }) => string;
  }[];
  /** SQL of an administrator that answers what nobody may change by a dump. */
  readonly guarded: string;
  /** Harm to a frozen site. */
  readonly thaws: readonly DbDrift[];
}

/** What an engine brings to be tested. */
export interface DbSubject {
  /** As in the service's engine. */
  readonly name: string;
  readonly daemon: DaemonName;
  createEngine(): DbEngine;
  /** A host with that daemon, of its own below dir, that listens on a loopback address. */
  startHost(dir: string): Promise<Host>;
  /** Runs SQL as an administrator; answers lines. Rejects when it is refused. */
  administer(host: Host, daemon: Daemon, sql: string): Promise<readonly string[]>;
  /** Runs SQL as a site's user over this UNIX socket; answers lines. Rejects with the server's words when refused. */
  ask(host: Host, socket: string, login: Login, sql: string): Promise<readonly string[]>;
  /** What its client programs want a socket to be called. */
  readonly socketName: string;
  /** What the server says to a user from an address that it may not come from. */
  refusesAddress(address: string): string;
  /** What it says to a wrong password or a user that is not there, from an address that nothing is wrong with. */
  refusesLogin(spec: DbSpec, address: string): string;
  /** SQL of an administrator that answers the names of all databases; those that everybody gets into; one of the server's own. */
  readonly databases: string;
  readonly everybodys: readonly string[];
  readonly system: string;
  /** SQL of a site that answers the databases it sees, where the server hides those that it may not use. */
  readonly visible?: string;
  /** SQL that answers all there is (accounts, rights, databases, tables) but of these names, in a fixed order. */
  everythingBut(specs: readonly DbSpec[]): string;
  /** SQL that makes databases and users of other people, with names as like ours as can be. */
  foreign(spec: DbSpec): string;
  /** SQL that has the server log all that it is asked from now on, SQL that answers it, and what goes to its replicas. */
  readonly recording: {
    readonly start: string;
    readonly stop: string;
    readonly read: string;
    readonly replicated: string;
  };
  readonly drifts: readonly DbDrift[];
  /** SQL that takes longer than a test, and SQL that answers the users who are connected. */
  readonly wait: string;
  readonly connected: string;
  /** Settings of the server that an operator may have chosen and that must not matter: SQL to set and to undo them. */
  readonly moods: readonly { readonly what: string; readonly set: string; readonly undo: string }[];
  readonly dumps?: DbDumps;
  /** What a password is kept as, when the server keeps it: not to be seen either. */
  hashed(password: string): string;
}

export interface DbStage {
  readonly host: Host;
  readonly engine: DbEngine;
  readonly service: ServiceRef;
  readonly daemon: Daemon;
  readonly ctx: ActionContext;
  /** Every command that was run through the host. */
  readonly commands: Command[];
  /** All that was logged or told. */
  readonly said: string[];
  spec(body: string, part?: Partial<DbSpec>): DbSpec;
  plan(spec: DbSpec): Promise<readonly string[]>;
  apply(spec: DbSpec): Promise<readonly string[]>;
  remove(siteId: string, spec?: DbSpec): Promise<readonly string[]>;
  sites(): Promise<readonly string[]>;
  administer(sql: string): Promise<readonly string[]>;
  /** As the site's user from this address. */
  ask(spec: DbSpec, from: string, sql?: string, database?: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Two web servers' addresses, and one that is nobody's. */
export const WEB1 = '127.0.35.1';
export const WEB2 = '127.0.35.2';
export const STRANGER = '127.0.35.66';

export async function openDbStage(subject: DbSubject): Promise<DbStage> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-db-'));
  // The daemon runs as somebody else when we are root.
  await chmod(dir, 0o755);
  const real = await subject.startHost(join(dir, 'host')).catch(async (error: unknown) => {
    await rm(dir, { recursive: true, force: true });
    throw error;
  });
  const commands: Command[] = [];
  const said: string[] = [];
  const host: Host = {
    ...real,
    run: (command) => {
      commands.push(command);
      return real.run(command);
    },
    stream: (command) => {
      const { argv, env = {}, cwd = '' } = command;
      commands.push({ argv, env, cwd });
      return real.stream(command);
    },
  };
  const daemon = await real.daemon(subject.daemon);
  if (daemon === undefined) throw new Error(`the host under test has no ${subject.daemon}`);
  const engine = subject.createEngine();
  const service: ServiceRef = {
    id: 'svc-0000000000000001',
    serverId: 'srv-0000000000000001',
    type: 'db',
    engine: subject.name,
    version: '',
    instance: '',
    settings: {},
    secrets: {},
  };
  const ctx: ActionContext = {
    ...contextOf(host),
    log: (_level, text) => void said.push(text),
    progress: (_fraction, label) => void said.push(label),
    message: ({ text, value }) => void said.push(text, value),
  };
  const target = { address: daemon.addresses[0] ?? '127.0.0.1', port: daemon.port };
  return {
    host,
    engine,
    service,
    daemon,
    ctx,
    commands,
    said,
    spec(body, part) {
      const siteId = `site-${body}`;
      const names = { database: databaseName(siteId), user: databaseUser(siteId) };
      return {
        siteId,
        ...names,
        password: `secret-of-${body}`,
        from: [WEB1, WEB2],
        holdsContent: false,
        frozen: false,
        ...part,
      };
    },
    plan: async (spec) => summaries(await engine.plan(service, spec, ctx)),
    apply: async (spec) => runChanges(await engine.plan(service, spec, ctx), ctx),
    remove: async (siteId, spec) => runChanges(await engine.remove(service, siteId, spec, ctx), ctx),
    sites: async () => [...new Set((await engine.inspect(service, ctx)).map(({ siteId }) => siteId))].sort(),
    administer: (sql) => subject.administer(real, daemon, sql),
    async ask({ user, password, database: own }, from, sql = 'SELECT 1;', database = own) {
      const relay = await openRelay(from, target, subject.socketName);
      try {
        return await subject.ask(real, relay.socket, { user, password, database }, sql);
      } finally {
        await relay.close();
      }
    },
    async close() {
      await host.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
