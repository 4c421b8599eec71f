// The two things to know about nginx's syntax: how a string is quoted, and how an address is listened on. Pure.
import { isIP } from 'node:net';
import { AegirError } from '../../../../shared/error.ts';
import { configSiteId } from '../config/quote.ts';
import type { Listening } from '../virtual-host.ts';

/** In double quotes, where nginx reads \\ and \" as one character. It has no escape for $: callers refuse that in paths. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

export function tlsListenLines({ addresses, tlsPort, ipv6 }: Listening, indent: string): string {
  if (tlsPort === undefined) {
    throw new AegirError('failed_precondition', 'cannot serve HTTPS: this nginx has no port for it');
  }
  // http2 as a parameter of listen: the directive of that name came with 1.25, and the parameter still works there.
  return listenLines({ addresses, port: tlsPort, ipv6 }, indent).replaceAll(';\n', ' ssl http2;\n');
}

export function listenLines({ addresses, port, ipv6 }: Listening, indent: string): string {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new AegirError('invalid_argument', `cannot listen on port ${port}: it must be between 1 and 65535`);
  }
  const at = addresses.map((address) => {
    if (isIP(address) === 0) {
      throw new AegirError('invalid_argument', `cannot listen on ${JSON.stringify(address)}: it is no IP address`);
    }
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  });
  const all = ipv6 ? [`${port}`, `[::]:${port}`] : [`${port}`];
  return (at.length > 0 ? at : all).map((one) => `${indent}listen ${one};\n`).join('');
}

/** Of access logs; the base file defines it. */
export const LOG_FORMAT = 'aegir';

/** A variable of one site, since those of maps are the whole server's. */
export function siteVariable(what: string, siteId: string): string {
  return `$aegir_${what}_${configSiteId(siteId).replace(/[^0-9a-z]/g, '_')}`;
}
