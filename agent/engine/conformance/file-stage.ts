// The stage on which a file engine is tested: the engine on an embedded host, a service in a world of its own, and short
// ways to do what backups do.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../host/embedded/host.ts';
import type { Command, Host } from '../../host/host.ts';
import { type ActionContext, type ObjectStore, runChanges } from '../engine.ts';
import type { FileEngine } from '../file/file-engine.ts';
import { contextOf, summaries } from './interruption.ts';

export type Declared = Pick<ServiceRef, 'settings' | 'secrets'> & Partial<Pick<ServiceRef, 'instance'>>;

/** A place for objects, as an operator has it, past Aegir. */
export interface FileWorld {
  readonly declared: Declared;
  /** The same with credentials that are not taken; absent where there are none. */
  readonly strange?: Declared;
  /** The same with another host key pinned. */
  readonly otherHost?: Declared;
  /** The same at a port where nobody listens, and at one where nobody ever answers. */
  readonly closed?: Declared;
  readonly silent?: Declared;
  /** Everything that lies there, by its path; of versions, the newest. */
  everything(): Promise<readonly string[]>;
  /** Lays something there that is not ours. */
  plant(path: string): Promise<void>;
  /** Makes it read-only, or writable again; absent where this machine cannot. */
  readOnly?(on: boolean): Promise<void>;
  /** Bytes that surely do not fit; absent where there is no small file system. */
  readonly tooMuch?: number;
  close(): Promise<void>;
}

export interface FileSubject {
  /** As in the service's engine. */
  readonly name: string;
  /** Tells several worlds of an engine apart. */
  readonly by?: string;
  createEngine(): FileEngine;
  openWorld(host: Host): Promise<FileWorld>;
  /** Changes of the first preparation. */
  readonly prepares: boolean;
  /** A host shows it. */
  readonly detected?: boolean;
  /** It keeps unfinished objects beside the others while they come. */
  readonly sweeps?: boolean;
  /** It says how large objects are without getting them. */
  readonly sizes: boolean;
}

export interface FileStage {
  readonly host: Host;
  readonly world: FileWorld;
  readonly engine: FileEngine;
  readonly service: ServiceRef;
  readonly ctx: ActionContext;
  /** Every program that ran, to look for what must not be in its arguments. */
  readonly ran: readonly Command[];
  with(declared: Declared | undefined): ServiceRef;
  prepare(): Promise<readonly string[]>;
  open(service?: ServiceRef): Promise<ObjectStore>;
  /** Opens, acts, flushes, closes. */
  session<T>(act: (store: ObjectStore) => Promise<T>): Promise<T>;
  /** What is left in the scratch directory. */
  scratch(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openFileStage(subject: FileSubject): Promise<FileStage> {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-file-'));
  const ports = { nginx: 0, apache2: 0, mariadb: 0, postgresql: 0 };
  const real = await createEmbeddedHost({ dir, hostname: 'files.test', address: '127.0.0.1', ports, daemons: [] });
  const ran: Command[] = [];
  const host: Host = {
    ...real,
    run: (command) => {
      ran.push(command);
      return real.run(command);
    },
  };
  const world = await subject.openWorld(host);
  const engine = subject.createEngine();
  const ctx = contextOf(host);
  const withDeclared = (declared: Declared | undefined): ServiceRef => ({
    ...{ id: 'svc-0000000000000001', serverId: 'srv-0000000000000001', type: 'file', engine: subject.name },
    ...{ version: '', instance: '', settings: {}, secrets: {} },
    ...declared,
  });
  const service = withDeclared(world.declared);
  const stage: FileStage = {
    ...{ host, world, engine, service, ctx, ran, with: withDeclared },
    async prepare() {
      const changes = await engine.prepare(service, ctx);
      await runChanges(changes, ctx);
      return summaries(changes);
    },
    open: (which = service) => engine.openStore(which, ctx),
    async session(act) {
      const store = await stage.open();
      try {
        const answer = await act(store);
        await store.flush();
        return answer;
      } finally {
        await store.close();
      }
    },
    scratch: () => readdir(host.paths.work),
    async close() {
      await world.close();
      await host.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return stage;
}

export async function contentOf(store: ObjectStore, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(name)) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function namesIn(store: ObjectStore, prefix = ''): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix)) names.push(name);
  return names.sort();
}
