// The master's configuration: one JSON file, parsed and checked once.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { AegirError } from '../shared/error.ts';
import { absolutePath, hostName, mailAddress } from '../shared/name.ts';

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionBounds {
  readonly most?: number;
  readonly mostOfAddress?: number;
}

export interface MasterConfig {
  /** Absolute path; everything the master keeps is below it. */
  readonly dataDir: string;
  /** Names and IP addresses by which agents and people reach this master, the preferred one first. */
  readonly advertise: readonly [string, ...string[]];
  readonly listen: {
    readonly api: Listen;
    readonly agent: Listen;
    readonly enrol: Listen;
    readonly web: Listen;
    /** undefined: this master runs no mesh node. */
    readonly mesh: Listen | undefined;
  };
  /** Connections at a time, in all and from one address; what is left out is as each listener has it. */
  readonly connections: Readonly<Record<'api' | 'agent' | 'enrol', ConnectionBounds>>;
  readonly transfer: {
    /** How long leave for one transfer lasts, in ms; a longer one gets another. */
    readonly grantMs: number;
  };
  readonly store: { readonly kind: 'sqlite' } | { readonly kind: 'postgresql'; readonly url: string };
  readonly logLevel: string;
  /** Where it was read. */
  readonly file: string;
  /** The certificate authority for sites (RFC 8555). */
  readonly acme: {
    /** URL; undefined for Let's Encrypt. */
    readonly directory: string | undefined;
    /** Mail address; '' for none. */
    readonly contact: string;
    /** Whether its terms were agreed to: asked of a person, never assumed. */
    readonly agreed: boolean;
    /** CA certificates for an authority of one's own, PEM. */
    readonly caFile: string | undefined;
  };
}

export const DEFAULT_PORTS = { api: 7443, agent: 7444, enrol: 7445, web: 7446, mesh: 7447 } as const;
/** Each takes a file descriptor: the unit gives the master 65536. */
const MOST_CONNECTIONS = 30_000;
/** Clocks of servers differ, and the last seconds of a grant are not used. */
const LEAST_GRANT_SECONDS = 5;
const MOST_GRANT_SECONDS = 3600;
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

export function readMasterConfig(path: string): MasterConfig {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AegirError('failed_precondition', `cannot read the configuration ${path}: ${why}`, { cause });
  }
  return parseMasterConfig(value, path);
}

/** Unknown keys are refused: a misspelt one must not pass unseen. */
export function parseMasterConfig(value: unknown, file = 'the configuration of the master'): MasterConfig {
  const top = object(value, 'the configuration');
  known(
    top,
    ['dataDir', 'advertise', 'listen', 'connections', 'transfer', 'store', 'logLevel', 'acme'],
    'the configuration',
  );
  const listen = object(top['listen'] ?? {}, 'listen');
  known(listen, Object.keys(DEFAULT_PORTS), 'listen');
  const at = (key: keyof typeof DEFAULT_PORTS) =>
    parseListen(listen[key] ?? `0.0.0.0:${DEFAULT_PORTS[key]}`, `listen.${key}`);
  const [first, ...others] = list(top['advertise'], 'advertise').map(addressName);
  if (first === undefined)
    throw wrong('advertise', 'it needs at least one name or IP address by which agents reach this master');
  const logLevel = text(top['logLevel'] ?? 'info', 'logLevel');
  if (!LEVELS.includes(logLevel)) throw wrong('logLevel', `it is one of ${LEVELS.join(', ')}`);
  return {
    dataDir: absolutePath(text(top['dataDir'], 'dataDir'), 'dataDir'),
    advertise: [first, ...others],
    listen: {
      api: at('api'),
      agent: at('agent'),
      enrol: at('enrol'),
      web: at('web'),
      mesh: listen['mesh'] === 'off' ? undefined : at('mesh'),
    },
    connections: parseConnections(object(top['connections'] ?? {}, 'connections')),
    transfer: parseTransfer(object(top['transfer'] ?? {}, 'transfer')),
    store: parseStore(top['store'] ?? { kind: 'sqlite' }),
    logLevel,
    file,
    acme: parseAcme(object(top['acme'] ?? {}, 'acme')),
  };
}

function parseConnections(given: Record<string, unknown>): MasterConfig['connections'] {
  known(given, ['api', 'agent', 'enrol'], 'connections');
  const of = (key: string): ConnectionBounds => {
    const bounds = object(given[key] ?? {}, `connections.${key}`);
    known(bounds, ['most', 'mostOfAddress'], `connections.${key}`);
    for (const [name, value] of Object.entries(bounds)) {
      if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_CONNECTIONS) continue;
      throw wrong(`connections.${key}.${name}`, `a number of 1 to ${MOST_CONNECTIONS} is needed`);
    }
    return bounds;
  };
  return { api: of('api'), agent: of('agent'), enrol: of('enrol') };
}

function parseTransfer(given: Record<string, unknown>): MasterConfig['transfer'] {
  known(given, ['grantSeconds'], 'transfer');
  const seconds = given['grantSeconds'] ?? MOST_GRANT_SECONDS;
  if (typeof seconds !== 'number' || !(seconds >= LEAST_GRANT_SECONDS && seconds <= MOST_GRANT_SECONDS))
    throw wrong('transfer.grantSeconds', `a number of ${LEAST_GRANT_SECONDS} to ${MOST_GRANT_SECONDS} is needed`);
  return { grantMs: seconds * 1000 };
}

function parseAcme(acme: Record<string, unknown>): MasterConfig['acme'] {
  known(acme, ['directory', 'contact', 'termsOfServiceAgreed', 'caFile'], 'acme');
  const directory = acme['directory'] === undefined ? undefined : text(acme['directory'], 'acme.directory');
  if (directory !== undefined && !/^https:\/\/\S+$/.test(directory))
    throw wrong('acme.directory', 'an https:// URL is needed');
  const agreed = acme['termsOfServiceAgreed'] ?? false;
  if (typeof agreed !== 'boolean') throw wrong('acme.termsOfServiceAgreed', 'true or false is needed');
  return {
    directory,
    contact: acme['contact'] === undefined ? '' : mailAddress(text(acme['contact'], 'acme.contact')),
    agreed,
    caFile: acme['caFile'] === undefined ? undefined : absolutePath(text(acme['caFile'], 'acme.caFile'), 'acme.caFile'),
  };
}

function parseStore(value: unknown): MasterConfig['store'] {
  const store = object(value, 'store');
  if (store['kind'] === 'sqlite') {
    known(store, ['kind'], 'store');
    return { kind: 'sqlite' };
  }
  if (store['kind'] === 'postgresql') {
    known(store, ['kind', 'url'], 'store');
    const url = text(store['url'], 'store.url');
    if (!/^postgres(ql)?:\/\//.test(url)) throw wrong('store.url', 'it begins with postgresql://');
    return { kind: 'postgresql', url };
  }
  throw wrong('store.kind', 'it is sqlite or postgresql');
}

/** HOST:PORT or [IPV6]:PORT. */
export function parseListen(value: unknown, what: string): Listen {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):([0-9]{1,5})$/.exec(text(value, what));
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (match === null || port > 65_535) throw wrong(what, 'it has the form ADDRESS:PORT');
  return { host, port };
}

export function showListen({ host, port }: Listen): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function addressName(value: unknown): string {
  const name = text(value, 'advertise');
  return isIP(name) === 0 ? hostName(name, 'advertise') : name;
}

function wrong(what: string, why: string): AegirError {
  return new AegirError('invalid_argument', `cannot use ${what}: ${why}`);
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(what, 'a JSON object is needed');
}

function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= 20) return value;
  throw wrong(what, 'a list of 1 to 20 is needed');
}

function text(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw wrong(what, 'a text is needed');
}

function known(value: Record<string, unknown>, keys: readonly string[], what: string): void {
  const extra = Object.keys(value).find((key) => !keys.includes(key));
  if (extra !== undefined) throw wrong(`${what}.${extra}`, `there is no such setting; there are ${keys.join(', ')}`);
}
