// What an http engine renders of one site, for whichever web server; and what every web server keeps from the world.
import type { WebRules } from '../../app/app.ts';
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
  readonly listening: Listening;
}

/** addresses empty: all of them, of both families. */
export interface Listening {
  readonly addresses: readonly string[];
  readonly port: number;
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
