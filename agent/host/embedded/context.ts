// What the daemons of one embedded server share.
import type { DaemonName, Files } from '../host.ts';
import type { Run, RunAs } from '../process.ts';
import type { EmbeddedLayout } from './layout.ts';
import type { RunUser } from './run-user.ts';

export type Note = (level: 'info' | 'warn' | 'error', text: string) => void;

/** 0 or absent for a daemon that the server does not have. */
export interface EmbeddedContext {
  readonly layout: EmbeddedLayout;
  readonly files: Files;
  readonly run: Run;
  readonly user: RunUser;
  readonly as: RunAs;
  /** Where this server is found. */
  readonly address: string;
  /** All addresses that web servers listen on, address first. */
  readonly webAddresses: readonly string[];
  readonly ports: EmbeddedPorts;
  readonly note: Note;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}

/** Of those daemons that the server has; they must stay the same from start to start. */
export interface EmbeddedPorts {
  readonly nginx: number;
  /** nginx's for HTTPS; absent: it serves none. */
  readonly nginxTls?: number;
  readonly apache2?: number;
  readonly apache2Tls?: number;
  readonly haproxy?: number;
  readonly haproxyTls?: number;
  readonly mariadb: number;
  readonly postgresql?: number;
}

/** Fixed per daemon: where its log, its record and its configuration are. */
export function placesOf(context: EmbeddedContext, name: DaemonName) {
  const file = name.replace('@', '-');
  return {
    log: `${context.layout.daemonLogs}/${file}.log`,
    record: `${context.layout.records}/${file}.json`,
    etc: `${context.layout.etc}/${file}`,
  };
}
