// The contract of engines. An engine is the agent-side implementation of one service type for one daemon.
// Rules that hold for every method:
//  - It may be repeated at any time, also after a crash in the middle of the last call: look first, then act.
//  - It touches only what is Aegir's on the daemon; what a person put there stays as it is.
//  - It starts processes through host.run or host.daemon only, and writes files through host.files only.
//  - Secrets never reach log, progress, summaries, argument vectors or error messages.
//  - A failed change leaves the daemon working as before that change.
import type { Failpoint } from '../../shared/failpoint.ts';
import type { Finding } from '../../shared/finding.ts';
import type { ClusterStatus, DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import type { Message, TransferProgress } from '../../shared/gen/aegir/v1/event.ts';
import type { ReplicaFacts } from '../../shared/gen/aegir/v1/move.ts';
import type {
  ClusterSpec,
  DbSpec,
  DnsSpec,
  FileSpec,
  HttpSpec,
  ServiceRef,
  ZoneSpec,
} from '../../shared/gen/aegir/v1/spec.ts';
import type { ServiceType } from '../../shared/vocabulary.ts';
import type { WebRules } from '../app/app.ts';
import type { DaemonName, Host } from '../host/host.ts';

/** What an http engine applies: the wire's spec with the rules that the site's app gave for it. */
export type HttpSiteSpec = HttpSpec & { readonly rules: WebRules };

export interface SpecOf {
  http: HttpSiteSpec;
  db: DbSpec;
  dns: DnsSpec;
  file: FileSpec;
}

/** What an action may use. One per action. */
export interface ActionContext {
  readonly host: Host;
  /** Aborted when the action is cancelled or fenced off; honour it between changes and in long waits. */
  readonly signal: AbortSignal;
  readonly failpoint: Failpoint;
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /**
   * 0 to 1; transfer is for what moves bytes. To be said when it got on and never because time passed: an action that says
   * none for two hours is ended.
   */
  progress(fraction: number, label: string, transfer?: TransferProgress): void;
  message(message: Message): void;
}

/** One described change. A preview prints summary; apply runs it. Summaries are one line, without secrets. */
export interface Change {
  readonly summary: string;
  run(ctx: ActionContext): Promise<void>;
}

/** Something of ours on the daemon. */
export interface Observed {
  readonly siteId: string;
  /** What it is, for example "virtual host", "database". */
  readonly what: string;
}

/** What an engine can do beyond the contract; each names an optional interface or a property of specs it honours. */
export type Capability =
  | 'php'
  | 'tls'
  | 'prepare'
  | 'check'
  | 'measure'
  | 'network'
  | 'zones'
  | 'dnssec'
  | 'front'
  | 'store'
  | 'dump'
  | 'replicate';

export interface Engine<T extends ServiceType = ServiceType> {
  readonly type: T;
  readonly name: string;
  readonly capabilities: ReadonlySet<Capability>;
  /** Of http: the daemon that answers for its sites, where they are asked for a page. */
  readonly daemon?: DaemonName;
  /** The services of this engine on the host; empty when there is none. Reads only. */
  detect(host: Host): Promise<readonly DetectedService[]>;
  /** What is there of ours, by site. Reads only. */
  inspect(service: ServiceRef, ctx: ActionContext): Promise<readonly Observed[]>;
  /** The changes that bring the daemon to spec, in order; empty when it is there. Reads only until a change is run. */
  plan(service: ServiceRef, spec: SpecOf[T], ctx: ActionContext): Promise<readonly Change[]>;
  /** The changes that take everything of a site off the daemon; empty when nothing is there. spec is the last one known, when known. */
  remove(
    service: ServiceRef,
    siteId: string,
    spec: SpecOf[T] | undefined,
    ctx: ActionContext,
  ): Promise<readonly Change[]>;
}

/** Capability "prepare": what the daemon itself needs before it carries sites (include directories, listening addresses). */
export interface Preparing {
  prepare(service: ServiceRef, ctx: ActionContext): Promise<readonly Change[]>;
}

/** Capability "check": findings about the daemon for server verify. */
export interface Checking {
  /** zones: apexes of those that lie on a dns service. */
  check(service: ServiceRef, ctx: ActionContext, zones?: readonly string[]): Promise<readonly Finding[]>;
}

/** Capability "measure": how much each site has there. Reads only, and asks the daemon once for all. */
export interface Measuring {
  measure(service: ServiceRef, ctx: ActionContext): Promise<readonly Measured[]>;
}

export interface Measured {
  readonly siteId: string;
  /** What it takes on the disk, indexes included, as the daemon knows it. */
  readonly bytes: number;
}

/** What is known of a dump besides its bytes. */
export interface DumpFacts {
  /** Where changes go on after it, for follow; empty when the server keeps no such log. */
  readonly position: string;
}

/** Capability "dump": a site's database as a stream, in words that any server of the engine reads. */
export interface Dumping {
  /**
   * One consistent state of the whole database while it goes on serving; the same content gives the same bytes. Names
   * neither the database nor its user, so that it fits into another one. Throws at any point; who leaves it ends it. A
   * reader that rests for a minute may lose the server. tell, where what follows from it matters, is called once, before the
   * last byte.
   */
  dump(
    service: ServiceRef,
    spec: DbSpec,
    ctx: ActionContext,
    tell?: (facts: DumpFacts) => void,
  ): AsyncIterable<Uint8Array>;
  /**
   * The database is what the dump says and nothing else; account and rights stay. What is in it runs with the rights of
   * the site's own user at most. When it throws the content is neither; restore it again.
   */
  restore(service: ServiceRef, spec: DbSpec, dump: AsyncIterable<Uint8Array>, ctx: ActionContext): Promise<void>;
  /** Tables and views, and bytes that they take. Reads only. */
  content(
    service: ServiceRef,
    spec: DbSpec,
    ctx: ActionContext,
  ): Promise<{ readonly tables: number; readonly bytes: number }>;
}

/**
 * Capability "replicate": a database on another server of the engine follows this one, from a dump of it on. Either the
 * servers do it among themselves, or what changed travels as parts, from agent to agent.
 */
export type Replicating = ReplicatingByServers | ReplicatingByParts;

export interface ReplicatingByServers {
  readonly replicates: 'by servers';
  /**
   * On the side that leads. Throws failed_precondition, with why, when it cannot be followed. position: where its changes
   * end now. The dump that the follower restores must be taken after the first call.
   */
  openReplica(
    service: ServiceRef,
    spec: DbSpec,
    follower: { readonly addresses: readonly string[]; readonly password: string },
    preview: boolean,
    ctx: ActionContext,
  ): Promise<ReplicaFacts>;
  closeReplica(service: ServiceRef, spec: DbSpec, ctx: ActionContext): Promise<void>;
  /**
   * On the side that follows; see FollowRequest in move.proto. start: position is that of the dump. Throws
   * failed_precondition, with why, when it cannot follow; what stops it later is error of the status.
   */
  follow(
    service: ServiceRef,
    spec: DbSpec,
    leader: { readonly address: string; readonly port: number; readonly password: string },
    verb: 'start' | 'status' | 'stop',
    position: string,
    ctx: ActionContext,
  ): Promise<ReplicaFacts>;
}

/** What is known of changes besides their bytes. */
export interface ChangeFacts {
  /** Where the next ones begin. */
  readonly position: string;
  readonly transactions: number;
}

export interface ReplicatingByParts {
  readonly replicates: 'by parts';
  /** On the side that leads: where its changes end now. Throws failed_precondition, with why, when it cannot be followed. */
  endOfChanges(service: ServiceRef, spec: DbSpec, ctx: ActionContext): Promise<string>;
  /**
   * What changed in this database since position (of a dump, or of ChangeFacts), in order, in words of the engine; nothing
   * of other databases. Throws failed_precondition, with why, when that cannot be told, at any point. tell is called once,
   * before the last byte.
   */
  changes(
    service: ServiceRef,
    spec: DbSpec,
    position: string,
    ctx: ActionContext,
    tell: (facts: ChangeFacts) => void,
  ): AsyncIterable<Uint8Array>;
  /**
   * On the side that follows: what of them is not here yet. from: the dump's position. Each is taken once, however often
   * that is repeated, and whatever else is in them changes nothing but this database. Answers how many were taken. Throws
   * failed_precondition when one does not fit: the database is to be restored anew then.
   */
  applyChanges(
    service: ServiceRef,
    spec: DbSpec,
    from: string,
    changes: AsyncIterable<Uint8Array>,
    ctx: ActionContext,
  ): Promise<number>;
  /** What has come stays; nothing is left of the following. */
  endFollowing(service: ServiceRef, spec: DbSpec, ctx: ActionContext): Promise<void>;
}

export function canDump(engine: Engine): engine is Engine<'db'> & Dumping {
  return engine.capabilities.has('dump');
}

export function canReplicate(engine: Engine): engine is Engine<'db'> & Replicating {
  return engine.capabilities.has('replicate');
}

/** Capability "zones": the engine's daemon carries zones, and the engine makes and removes them. */
export interface Zoned {
  /** The zone with its SOA and NS, signed or not; its other records stay as they are. */
  planZone(service: ServiceRef, zone: ZoneSpec, ctx: ActionContext): Promise<readonly Change[]>;
  /** The zone with everything in it; empty when it is not there. */
  removeZone(service: ServiceRef, name: string, ctx: ActionContext): Promise<readonly Change[]>;
}

/** Capability "front": the engine's daemon distributes the requests for its sites over web servers. */
export interface Fronting {
  /** The heads; sites that are published stay as they are. */
  planCluster(service: ServiceRef, cluster: ClusterSpec, ctx: ActionContext): Promise<readonly Change[]>;
  /** The cluster with all its sites; empty when it is not there. */
  removeCluster(service: ServiceRef, ctx: ActionContext): Promise<readonly Change[]>;
  /** As the running daemon says it. Reads only. Throws unavailable when the daemon does not answer. */
  clusterStatus(service: ServiceRef, ctx: ActionContext): Promise<ClusterStatus>;
}

export function isFront(engine: Engine): engine is Engine<'http'> & Fronting {
  return engine.capabilities.has('front');
}

export interface StoredObject {
  readonly name: string;
  /** Bytes; undefined where telling them would cost as much as getting the object (git). */
  readonly size: number | undefined;
}

/**
 * Named objects of one file service, over one connection. Names are 1 to 4 parts between slashes, each of 1 to 100
 * letters, digits, ".", "_" and "-", a letter or digit first, as in "7f3a/7f3a….cacnk"; what else lies there is neither
 * listed nor touched. One call at a time, until its first answer: what get and list answer may
 * be read on while others are made. With overlapping, puts may be made beside each other and beside all else.
 */
export interface ObjectStore {
  /** Longer ones are refused while they are put, and nothing of them stays. */
  readonly maxObjectBytes: number;
  /** A flush is of what was put when it was called; of what is put meanwhile it may be, and the next one is. */
  readonly overlapping?: true;
  /**
   * Whole or not at all, in place of what has the name: whoever reads sees all of the former or all of the new object.
   * Others see it, and it outlives a crash, once flush resolved; this connection sees it at once. content is streamed.
   */
  put(name: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
  /** The object in pieces. Throws not_found. */
  get(name: string): AsyncIterable<Uint8Array>;
  /**
   * These are got next, each once: at most 64 are brought along in as few round trips as the service takes, where a get by
   * itself takes many. Those that are not there are left out. Absent where it would win nothing.
   */
  bring?(names: readonly string[]): Promise<void>;
  /** undefined when there is none. */
  stat(name: string): Promise<StoredObject | undefined>;
  /** For each name whether there is such an object: of at most 4096 in as few round trips as the service takes. */
  present(names: readonly string[]): Promise<readonly boolean[]>;
  /** Those whose names begin with prefix (any text, empty for all), in no order. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Others see that it is gone once flush resolved. No error when there is none. */
  remove(name: string): Promise<void>;
  /** Makes durable, and visible to others, all that was put and removed. Engines of versions make one commit of it. */
  flush(): Promise<void>;
  /** Gives up what was not flushed, and leaves nothing behind on this host. May be repeated. */
  close(): Promise<void>;
}

/** Capability "store": the service keeps objects. */
export interface Storing {
  /** Throws when the service is not reached or is not the one that was declared. The caller closes it. */
  openStore(service: ServiceRef, ctx: ActionContext): Promise<ObjectStore>;
}

export function canStore(engine: Engine): engine is Engine<'file'> & Storing {
  return engine.capabilities.has('store');
}

export function hasZones(engine: Engine): engine is Engine<'dns'> & Zoned {
  return engine.capabilities.has('zones');
}

export function canPrepare(engine: Engine): engine is Engine & Preparing {
  return engine.capabilities.has('prepare');
}

export function canCheck(engine: Engine): engine is Engine & Checking {
  return engine.capabilities.has('check');
}

export function canMeasure(engine: Engine): engine is Engine & Measuring {
  return engine.capabilities.has('measure');
}

/** Runs changes in order; between them it honours cancellation. Answers what was done. */
export async function runChanges(changes: readonly Change[], ctx: ActionContext): Promise<readonly string[]> {
  const done: string[] = [];
  for (const [index, change] of changes.entries()) {
    ctx.signal.throwIfAborted();
    ctx.progress(index / changes.length, change.summary);
    await change.run(ctx);
    ctx.log('info', change.summary);
    done.push(change.summary);
    ctx.failpoint(`agent.change`);
  }
  return done;
}
