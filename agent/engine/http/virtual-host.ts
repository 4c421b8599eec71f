// What an http engine renders of one site, for whichever web server; and what every web server keeps from the world.
import { isIP } from 'node:net';
import { AegirError } from '../../../shared/error.ts';
import { isRealm } from '../../../shared/http-auth.ts';
import type { WebRules } from '../../app/app.ts';
import { configName, configSocket } from './config/quote.ts';
import type { PhpLimits } from './fpm/limits.ts';

export interface VirtualHost {
  readonly siteId: string;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly state: string;
  readonly rules: WebRules;
  readonly limits: PhpLimits;
  readonly logs: string;
  readonly socket: string;
  /** Socket of the site's gate: where requests go in state held. */
  readonly gate: string;
  /** Where requests go in state moved. */
  readonly upstream: Upstream | undefined;
  /** The head of its cluster that takes writes, by plain HTTP; undefined where that is this one, or all see the same files. */
  readonly writer: { readonly address: string; readonly port: number } | undefined;
  readonly listening: Listening;
  /** Id of the service: by it this web server knows requests that it has handed on itself. */
  readonly serviceId: string;
  /** undefined serves plain HTTP alone. */
  readonly tls:
    | {
        readonly certificate: string;
        readonly key: string;
        readonly redirect: boolean;
        readonly hstsSeconds: number;
      }
    | undefined;
  /** Key authorisations by token. */
  readonly challenges: Readonly<Record<string, string>>;
  /** '' serves all names alike. */
  readonly redirectTo: string;
  /** Addresses whose word on the visitor is believed; empty where visitors come straight. */
  readonly fronts: readonly string[];
  /** All others than those and this server itself get the maintenance page. */
  readonly frontsOnly: boolean;
  /** Those others are led to the gate instead. */
  readonly othersHeld: boolean;
  /** Who may see it; undefined: everybody. */
  readonly auth: { readonly realm: string; readonly file: string } | undefined;
  /** Block of an administrator's own configuration (snippet.ts); '' for none. */
  readonly snippet: string;
}

/** Another web server that has the site. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
  /** 0 for none. */
  readonly tlsPort: number;
  /** File of certificates that vouch for the one there; undefined without TLS. */
  readonly trust: string | undefined;
}

/** RFC 8555 section 8.1: base64url, and the token with a thumbprint. Throws invalid_argument for anything else. */
export function checkedChallenges({
  challenges,
}: Pick<VirtualHost, 'challenges'>): readonly (readonly [token: string, answer: string])[] {
  const entries = Object.entries(challenges);
  for (const [token, answer] of entries) {
    if (/^[A-Za-z0-9_-]{16,128}$/.test(token) && /^[A-Za-z0-9_-]{16,128}\.[A-Za-z0-9_-]{43}$/.test(answer)) continue;
    throw new AegirError('invalid_argument', 'cannot serve that challenge: it is not of the form of RFC 8555');
  }
  return entries;
}

/** Throws invalid_argument for what is no IP address. */
export function checkedFronts({ fronts }: VirtualHost): readonly string[] {
  for (const front of fronts) {
    if (isIP(front) === 0)
      throw new AegirError('invalid_argument', `cannot believe a front at ${JSON.stringify(front)}`);
  }
  return fronts;
}

/** Pattern of the addresses that are served; undefined where all are. */
export function onlyThose(host: VirtualHost): string | undefined {
  if (!host.frontsOnly) return undefined;
  const own = ['127.0.0.1', '::1', ...host.listening.addresses];
  return `^(?:${[...new Set([...own, ...checkedFronts(host)])].map(escaped).join('|')})$`;
}

/** Socket of the gate that those others are led to; undefined where they get the page, or there are none. */
export function gateOfOthers(host: VirtualHost): string | undefined {
  const leads = host.state === 'enabled' && host.frontsOnly && host.othersHeld;
  return leads ? configSocket(host.gate, 'socket of the gate') : undefined;
}

/** Where the writer is, as in a URL. Throws invalid_argument for what is no place. */
export function writerAuthority({ writer }: Pick<VirtualHost, 'writer'>): string | undefined {
  return writer === undefined ? undefined : authorityOf(writer.address, writer.port);
}

/** An IP address and a port as in a URL. Throws invalid_argument for what is none. */
export function authorityOf(address: string, port: number): string {
  if (isIP(address) === 0 || address.includes('%')) {
    const told = JSON.stringify(address);
    throw new AegirError('invalid_argument', `cannot pass requests on to ${told}: it is no IP address`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new AegirError('invalid_argument', `cannot pass requests on to port ${port}: it must be between 1 and 65535`);
  }
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** The names that are served, and those that lead to the first of them. */
export function servedNames({ name, aliases, redirectTo }: Pick<VirtualHost, 'name' | 'aliases' | 'redirectTo'>): {
  readonly served: readonly [string, ...string[]];
  readonly others: readonly string[];
} {
  const main = configName(name);
  const more = aliases.map(configName);
  if (redirectTo === '') return { served: [main, ...more], others: [] };
  const target = configName(redirectTo);
  if (![main, ...more].includes(target)) {
    throw new AegirError('invalid_argument', `cannot redirect to ${redirectTo}: it is no name of the site`);
  }
  return { served: [target], others: [main, ...more].filter((each) => each !== target) };
}

/** addresses empty: all of them, of both families. */
export interface Listening {
  readonly addresses: readonly string[];
  readonly port: number;
  /** undefined where HTTPS cannot be served. */
  readonly tlsPort?: number | undefined;
  readonly ipv6: boolean;
}

/** Dotfiles at any depth, but for /.well-known of the root (RFC 8615). */
export const DOTFILE = '/\\.(?!(?<=^/\\.)well-known(?:/|$))';
/** What no web server shall hand out as text: PHP under any of its names. */
export const PHP_SOURCE = '\\.(?:php[0-9]?|phtml|phps)';

export const MAINTENANCE_PAGE =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Down for maintenance</title>' +
  '<meta name="viewport" content="width=device-width"></head><body>' +
  '<h1>Down for maintenance</h1><p>This site is not available at the moment. Please come back later.</p>' +
  '</body></html>';

/** Text as a regular expression that matches it and nothing else. */
export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** It stands in quotes. Throws invalid_argument for one that would end them. */
export function checkedRealm(realm: string): string {
  if (isRealm(realm)) return realm;
  throw new AegirError('invalid_argument', `cannot ask for passwords for ${JSON.stringify(realm)}: it is no realm`);
}
