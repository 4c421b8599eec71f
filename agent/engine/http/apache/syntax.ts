// What there is to know about Apache's syntax: how a string, a comment and a regular expression of mod_rewrite are
// written, and how an address is listened on. Pure.
import { isIP } from 'node:net';
import { AegirError } from '../../../../shared/error.ts';
import { configComment, configPattern } from '../config/quote.ts';
import type { Listening } from '../virtual-host.ts';

/** In double quotes. Apache puts values for ${} even there; callers refuse $ in what comes from outside. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** A comment, too, goes on in the next line when it ends with a backslash. */
export function comment(text: string): string {
  return `# ${configComment(text).replace(/[\\\s]+$/, '')}`;
}

/** A pattern of RewriteRule. mod_rewrite knows no escape inside of quotes, and takes a leading "!" for a negation. */
export function rewritePattern(pattern: string): string {
  const text = configPattern(pattern);
  // Apache would put a value for ${name}, and \Q would make text of what is escaped here.
  if (text.includes('${') || text.includes('\\Q')) {
    throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} as pattern: it has \${ or \\Q`);
  }
  const marks = text.replace(/\\[\s\S]|"/g, (token) => (token === '"' || token === '\\"' ? '\\x22' : token));
  return `"${marks.replace(/^!/, '\\!')}"`;
}

/** Addresses as a virtual host for HTTPS names them. */
export function tlsListenAddresses({ addresses, tlsPort, ipv6 }: Listening): string {
  if (tlsPort === undefined) {
    throw new AegirError(
      'failed_precondition',
      'cannot serve HTTPS: this Apache has no port for it; add "Listen 443" to its ports.conf',
    );
  }
  return listenAddresses({ addresses, port: tlsPort, ipv6 });
}

/** Addresses as a virtual host names them. */
export function listenAddresses({ addresses, port }: Listening): string {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new AegirError('invalid_argument', `cannot listen on port ${port}: it must be between 1 and 65535`);
  }
  const at = addresses.map((address) => {
    if (isIP(address) === 0) {
      throw new AegirError('invalid_argument', `cannot listen on ${JSON.stringify(address)}: it is no IP address`);
    }
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  });
  return at.length === 0 ? `*:${port}` : at.join(' ');
}

/**
 * What a header Connection names does not go on (RFC 9110, 7.6.1), and mod_proxy goes by that of the visitor: it must not name
 * what we say of him, and of the way of his request.
 */
export const OURS_GO_ON = `  RequestHeader edit* Connection "(?i)X-Forwarded-(?:For|Proto)|CDN-Loop" "X-None"
`;
