// The port to a host: what engines and apps may ask of the machine they run on. Two implementations:
// systemd/ (production: system users, systemctl, /etc) and embedded/ (no root: private daemons as children).

import type { Said } from './version.ts';

export interface Command {
  /** Program and arguments; never a shell. Secrets never stand here: use input or env. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  /** The whole environment of the process; default PATH, HOME, LANG only. */
  readonly env?: Readonly<Record<string, string>>;
  /** Given on standard input. */
  readonly input?: string | Uint8Array;
  /** System user to run as; default the agent's own. On embedded hosts every user is the run user. */
  readonly user?: string;
  /** Milliseconds; default 60 000. */
  readonly timeoutMs?: number;
  /** Most bytes kept of each output stream; default 1 MiB; what is over is dropped from the front. */
  readonly maxOutput?: number;
  readonly signal?: AbortSignal;
  /** Called for each line of stdout or stderr as it comes. */
  readonly onLine?: (stream: 'stdout' | 'stderr', line: string) => void;
}

export interface CommandResult {
  /** Exit code; 128 + signal number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program whose input or output is too large to hold. */
export interface StreamCommand extends Pick<Command, 'argv' | 'cwd' | 'env' | 'user' | 'signal'> {
  /** Given on standard input as the program takes it; what it throws ends the program. Left when the program ends. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Milliseconds in which the program neither writes nor takes anything, while it could; default 600 000. */
  readonly idleMs?: number;
  /** What to throw when it ends with another code than 0; stderr: at most its last 64 KiB. */
  failed(end: { readonly code: number; readonly stderr: string }): Error;
}

export interface FileOptions {
  /** Permission bits, for example 0o644. */
  readonly mode: number;
  /** User and group names; default the agent's own. Ignored on embedded hosts. */
  readonly owner?: string;
  readonly group?: string;
}

/** Files: every write is to a temporary name, fsync, rename, fsync of the directory. */
export interface Files {
  /** undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  write(path: string, content: string | Uint8Array, options: FileOptions): Promise<void>;
  /** True when the file has exactly this content, mode and owner. */
  matches(path: string, content: string, options: FileOptions): Promise<boolean>;
  /** Makes the directory (and parents, 0755) or mends its mode and owner. */
  directory(path: string, options: FileOptions): Promise<void>;
  directoryMatches(path: string, options: FileOptions): Promise<boolean>;
  /** Makes or replaces a symbolic link, atomically. */
  link(target: string, path: string): Promise<void>;
  /** undefined when path is no symbolic link. */
  readLink(path: string): Promise<string | undefined>;
  exists(path: string): Promise<boolean>;
  /** Names in a directory, sorted; empty when there is none. */
  list(path: string): Promise<readonly string[]>;
  /** Removes a file, link or whole tree (never following links); no error when there is none. */
  remove(path: string): Promise<void>;
}

export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Users {
  lookup(name: string): Promise<SystemUser | undefined>;
  /**
   * Makes a system user with its own group, no shell, no password. Repeatable. uid: the number of both (see
   * shared/site-uid.ts); 0 or none for one that no user of this host has or had.
   */
  ensure(name: string, home: string, uid?: number): Promise<SystemUser>;
  /** Ends the user's processes and removes it with its group, its jobs and what it left in /tmp and the like. Repeatable. */
  remove(name: string): Promise<void>;
  /** Absent where one user of the system stands for all (embedded): whose a process is cannot be told there. */
  readonly processes?: UserProcesses;
  /** Absent there too: what one site may not, the others must. */
  readonly accounts?: UserAccounts;
}

/**
 * What the system itself may start for a user: cron, at, ssh and the user's own systemd ask (PAM) whether its account has
 * expired. Nothing that we run as a user asks, nor do pools of PHP-FPM.
 */
export interface UserAccounts {
  /** closed: by us. expired: by others. undefined when there is no such user. */
  state(name: string): Promise<'open' | 'closed' | 'expired' | undefined>;
  /** From now on nothing is started for it; what runs goes on. Repeatable. */
  close(name: string): Promise<void>;
  /** Takes back what close did; an account that others let expire stays so. Repeatable. */
  open(name: string): Promise<void>;
}

export interface UserProcesses {
  /** How many run as the user, in any session; 0 when there is no such user. */
  running(name: string): Promise<number>;
  /**
   * Ends them all: SIGTERM, two seconds, SIGKILL. Repeatable. Throws unavailable when some do not end, failed_precondition
   * when the number of the user is not its own.
   */
  end(name: string): Promise<void>;
}

export type DaemonName =
  | 'nginx'
  | 'apache2'
  | 'mariadb'
  | 'mysql'
  | 'named'
  | 'pdns'
  | 'haproxy'
  | `postgresql@${string}`
  | `php-fpm@${string}`;

/** What a daemon has for requests that wait in it while it serves others. */
export interface Room {
  /** That may wait at once. */
  readonly requests: number;
  /** How long after a reload it ends those that still wait, and the directive that says so; absent where it never does. */
  readonly ends?: { readonly afterMs: number; readonly by: string };
}

/** One daemon of this host, as engines see it. */
export interface Daemon {
  readonly name: DaemonName;
  /** Absolute path of its program. */
  readonly program: string;
  /** Arguments that make the program read this daemon's configuration (before -t and the like). */
  readonly configArguments: readonly string[];
  /** Directory whose *.conf (or *.cnf) files of ours it includes. */
  readonly includeDir: string;
  /** Addresses and port that sites are served at; port 0 when it has none. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Port that sites are served at over HTTPS; absent when it has none. */
  readonly tlsPort?: number;
  /** UNIX socket for local clients; empty when it has none. */
  readonly socket: string;
  /** UNIX socket of the process that starts its workers, where commands of their own go. */
  readonly control?: string;
  /** A file by which its unit reads includeDir; who writes it restarts the daemon. */
  readonly dropIn?: { readonly path: string; readonly content: string };
  /** User that its workers run as, whose group must read public files. */
  readonly user: string;
  /** Absent where nobody knows. */
  room?(): Promise<Room>;
  isRunning(): Promise<boolean>;
  /**
   * What is mounted where as its processes see it, in the words of /proc/PID/mountinfo; as the agent does while it does not
   * run. Absent where nobody asks.
   */
  mounts?(): Promise<string>;
  /** Starts it unless it runs; resolves when it answers. Throws with the end of its log. */
  start(): Promise<void>;
  /** Has it read its configuration again; resolves when the new one is in force. Starts it when it is down. */
  reload(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface HostPaths {
  /** The agent's own state: journal, keys. */
  readonly state: string;
  /** Root of the sites' directories. */
  readonly sites: string;
  /** The same once more, where it can be had without links (agent/engine/http/apache/linkless.ts); else there is nothing. */
  readonly linkless: string;
  /** Sites' access and error logs. */
  readonly logs: string;
  /** Sockets of pools. */
  readonly run: string;
  /** Scratch of what is under way, on a disk and not in memory; each piece of it is closed to others. */
  readonly work: string;
}

export interface DiskUsage {
  readonly mount: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly network: boolean;
}

export interface HostIdentity {
  readonly hostname: string;
  readonly os: string;
  readonly kernel: string;
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly disks: readonly DiskUsage[];
  readonly addresses: readonly string[];
  readonly sourceAddresses: readonly string[];
}

export interface Host {
  readonly kind: 'systemd' | 'embedded';
  readonly paths: HostPaths;
  readonly files: Files;
  readonly users: Users;
  /** See version.ts. */
  readonly said: Said;
  /** Runs a program to its end. Throws only when it cannot be started, times out or is aborted; a non-zero code is a result. */
  run(command: Command): Promise<CommandResult>;
  /**
   * Runs a program and yields its standard output as it comes: who reads slowly holds it up, who leaves ends it. It is
   * started by the first read and is gone, with all it started, when the iteration is over. Throws as run does, and what
   * failed makes of another code than 0.
   */
  stream(command: StreamCommand): AsyncIterable<Uint8Array>;
  /** undefined when the host has no such daemon. php-fpm@ takes a version (php-fpm@8.2), postgresql@ a cluster (postgresql@15-main). */
  daemon(name: DaemonName): Promise<Daemon | undefined>;
  /** Versions of PHP-FPM on the host, newest first, for example ["8.2"]. */
  phpVersions(): Promise<readonly string[]>;
  /** PostgreSQL's clusters on the host, newest first, for example ["15-main"]. */
  postgresqlClusters(): Promise<readonly string[]>;
  /** Absolute path of a program in PATH and the sbin directories; undefined when there is none. */
  which(program: string): Promise<string | undefined>;
  identity(): Promise<HostIdentity>;
  /** Ends everything the host started (embedded); nothing on systemd. */
  close(): Promise<void>;
}
