// Where the requests of a site go that is not served here (state held or moved), for any web server. Pure.
import { AegirError } from '../../../shared/error.ts';
import { configPath, configServiceId, configSocket } from './config/quote.ts';
import { authorityOf, type VirtualHost } from './virtual-host.ts';

/** A request that is held, an upload or a socket of a page may take this long between two bytes. */
export const FORWARD_SECONDS = 3600;

export type Destination =
  | { readonly kind: 'gate'; readonly socket: string }
  /** authority: address and port as in a URL. trust: file of certificates that vouch for it, when it speaks TLS. */
  | { readonly kind: 'server'; readonly authority: string; readonly trust: string | undefined };

export function isForwarded(state: string): boolean {
  return state === 'held' || state === 'moved';
}

/** For requests that came over HTTPS (secure) or HTTP. Throws invalid_argument for what is no destination. */
export function destinationOf({ state, gate, upstream }: VirtualHost, secure: boolean): Destination {
  if (state === 'held') return { kind: 'gate', socket: configSocket(gate, 'socket of the gate') };
  if (upstream === undefined) {
    throw new AegirError('invalid_argument', 'cannot pass requests on: it is not said where they go');
  }
  const overTls = secure && upstream.tlsPort !== 0;
  const port = overTls ? upstream.tlsPort : upstream.port;
  const authority = authorityOf(upstream.address, port);
  if (!overTls) return { kind: 'server', authority, trust: undefined };
  if (upstream.trust === undefined) {
    throw new AegirError('invalid_argument', 'cannot pass requests on over TLS: the site has no certificate');
  }
  return { kind: 'server', authority, trust: configPath(upstream.trust, 'file of certificates') };
}

/**
 * Who hands a request on adds this to its CDN-Loop (RFC 8586), whose words others may have added to before. Each server has
 * its own: a site that moved twice comes by several.
 */
export function loopMark({ serviceId }: VirtualHost): string {
  return configServiceId(serviceId);
}

/** Matches a CDN-Loop that has the mark: the request has been here, and would go round without end. */
export function loopPattern(host: VirtualHost): string {
  return `(?:^|[\\s,;])${loopMark(host)}(?:[\\s,;]|$)`;
}

/** While nobody answers there. */
export const AWAY_PAGE =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Back in a moment</title>' +
  '<meta name="viewport" content="width=device-width"></head><body>' +
  '<h1>Back in a moment</h1><p>This site is not available at the moment. Please try again.</p>' +
  '</body></html>';
