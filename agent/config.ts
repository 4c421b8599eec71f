// The agent's configuration: one JSON file, parsed and checked once. Everything has a default on a systemd host.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { AegirError } from '../shared/error.ts';
import { absolutePath, hostName } from '../shared/name.ts';
import type { DaemonName } from './host/host.ts';
import { LOG_LEVELS, type LogLevel } from './logger.ts';

export interface SystemdHostConfig {
  readonly kind: 'systemd';
}
export interface EmbeddedHostConfig {
  readonly kind: 'embedded';
  readonly dir: string;
  readonly hostname: string;
  readonly address: string;
  readonly extraAddresses: readonly string[];
  readonly ports: {
    readonly nginx: number;
    readonly nginxTls?: number;
    readonly apache2: number;
    readonly apache2Tls?: number;
    readonly haproxy: number;
    readonly haproxyTls?: number;
    readonly mariadb: number;
    readonly postgresql: number;
  };
  readonly daemons: readonly DaemonName[];
}
export interface AgentConfig {
  readonly host: SystemdHostConfig | EmbeddedHostConfig;
  /** Identity and journal; 0700. */
  readonly stateDir: string;
  readonly logLevel: LogLevel;
  readonly transfer: {
    /** Most bytes a second over the mesh, in each direction, of all transfers together; undefined for no limit. */
    readonly bytesPerSecond: number | undefined;
  };
}

export const DEFAULT_STATE = '/var/lib/aegir-agent';
const DAEMON =
  /^(?:nginx|apache2|haproxy|mariadb|postgresql@[1-9][0-9]?-[a-z0-9_]{1,20}|php-fpm@[0-9]{1,2}\.[0-9]{1,2})$/;

/** Without a file: a systemd host. stateDir of the command line wins. */
export function loadConfig(file: string | undefined, stateDir: string | undefined): AgentConfig {
  const json = file === undefined ? {} : readJson(file);
  const from = file === undefined ? '' : ` of ${file}`;
  return parseConfig(stateDir === undefined ? json : { ...json, stateDir }, from);
}

function readJson(file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return object(value, `the contents of ${file}`);
  } catch (cause) {
    if (cause instanceof AegirError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AegirError('invalid_argument', `cannot read the configuration ${file}: ${why}`, { cause });
  }
}

export function parseConfig(json: Record<string, unknown>, from = ''): AgentConfig {
  known(json, ['host', 'stateDir', 'logLevel', 'transfer'], from);
  const host =
    json['host'] === undefined ? { kind: 'systemd' as const } : parseHost(object(json['host'], 'host'), from);
  const logLevel = json['logLevel'] ?? 'info';
  if (!LOG_LEVELS.includes(logLevel as LogLevel)) refuse(`logLevel${from}`, `one of ${LOG_LEVELS.join(', ')}`);
  return {
    host,
    stateDir: absolutePath(text(json['stateDir'] ?? DEFAULT_STATE, `stateDir${from}`), 'stateDir'),
    logLevel: logLevel as LogLevel,
    transfer:
      json['transfer'] === undefined ? NO_LIMIT : parseTransfer(object(json['transfer'], `transfer${from}`), from),
  };
}

const NO_LIMIT = { bytesPerSecond: undefined };
const LEAST_RATE = 10_000; // below it a single message keeps everybody waiting

function parseTransfer(json: Record<string, unknown>, from: string): AgentConfig['transfer'] {
  known(json, ['bytesPerSecond'], from);
  const rate = json['bytesPerSecond'];
  if (!Number.isSafeInteger(rate) || Number(rate) < LEAST_RATE) {
    refuse(`transfer.bytesPerSecond${from}`, `a whole number of bytes, at least ${LEAST_RATE}`);
  }
  return { bytesPerSecond: Number(rate) };
}

function parseHost(json: Record<string, unknown>, from: string): AgentConfig['host'] {
  if (json['kind'] === 'systemd') {
    known(json, ['kind'], from);
    return { kind: 'systemd' };
  }
  if (json['kind'] !== 'embedded') refuse(`host.kind${from}`, 'systemd or embedded');
  known(json, ['kind', 'dir', 'hostname', 'address', 'extraAddresses', 'ports', 'daemons'], from);
  const ports = object(json['ports'], `host.ports${from}`);
  known(ports, ['nginx', 'nginxTls', 'apache2', 'apache2Tls', 'haproxy', 'haproxyTls', 'mariadb', 'postgresql'], from);
  return {
    kind: 'embedded',
    dir: absolutePath(text(json['dir'], `host.dir${from}`), 'host.dir'),
    hostname: hostName(text(json['hostname'], `host.hostname${from}`), 'host.hostname'),
    address: address(json['address'], `host.address${from}`),
    extraAddresses: list(json['extraAddresses'] ?? [], `host.extraAddresses${from}`).map((each) =>
      address(each, `host.extraAddresses${from}`),
    ),
    ports: {
      nginx: port(ports['nginx'] ?? 0, `host.ports.nginx${from}`),
      ...(ports['nginxTls'] === undefined ? {} : { nginxTls: port(ports['nginxTls'], `host.ports.nginxTls${from}`) }),
      apache2: port(ports['apache2'] ?? 0, `host.ports.apache2${from}`),
      ...(ports['apache2Tls'] === undefined
        ? {}
        : { apache2Tls: port(ports['apache2Tls'], `host.ports.apache2Tls${from}`) }),
      haproxy: port(ports['haproxy'] ?? 0, `host.ports.haproxy${from}`),
      ...(ports['haproxyTls'] === undefined
        ? {}
        : { haproxyTls: port(ports['haproxyTls'], `host.ports.haproxyTls${from}`) }),
      mariadb: port(ports['mariadb'] ?? 0, `host.ports.mariadb${from}`),
      postgresql: port(ports['postgresql'] ?? 0, `host.ports.postgresql${from}`),
    },
    daemons: list(json['daemons'], `host.daemons${from}`).map((each) => daemon(each, `host.daemons${from}`)),
  };
}

function refuse(field: string, needs: string): never {
  throw new AegirError('invalid_argument', `cannot use the configuration: ${field} must be ${needs}`);
}

function known(json: Record<string, unknown>, keys: readonly string[], from: string): void {
  const unknown = Object.keys(json).find((key) => !keys.includes(key));
  if (unknown !== undefined) refuse(`${JSON.stringify(unknown)}${from}`, `absent; known are ${keys.join(', ')}`);
}

function object(value: unknown, field: string): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) refuse(field, 'an object');
  return value as Record<string, unknown>;
}

function text(value: unknown, field: string): string {
  return typeof value === 'string' ? value : refuse(field, 'a text');
}

function list(value: unknown, field: string): readonly unknown[] {
  return Array.isArray(value) && value.length <= 50 ? value : refuse(field, 'a list of at most 50');
}

function address(value: unknown, field: string): string {
  return typeof value === 'string' && isIP(value) !== 0 ? value : refuse(field, 'an IP address');
}

/** 0 for a daemon that the host does not have. */
function port(value: unknown, field: string): number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 65_536
    ? Number(value)
    : refuse(field, 'a port');
}

function daemon(value: unknown, field: string): DaemonName {
  return typeof value === 'string' && DAEMON.test(value)
    ? (value as DaemonName)
    : refuse(field, 'a list of nginx, apache2, haproxy, mariadb, postgresql@VERSION-NAME or php-fpm@VERSION');
}
