// What people declared for a dns service, read with errors that name the key. Values of secrets are never quoted. Pure.
import { isIP } from 'node:net';
import { AegirError } from '../../../shared/error.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { hostName } from '../../../shared/name.ts';
import { nameOnServer } from '../../../shared/service-name.ts';

export interface Known {
  readonly settings: readonly string[];
  readonly secrets: readonly string[];
}

/**
 * Refuses keys that the engine does not know: a key with a typing error must not go unseen. And secrets of more than one
 * line, which no dns engine can use.
 */
export function checkKeys(service: ServiceRef, known: Known): void {
  for (const kind of ['settings', 'secrets'] as const) {
    const strange = Object.keys(service[kind]).find((key) => !known[kind].includes(key));
    if (strange === undefined) continue;
    const which = known[kind].length === 0 ? 'none' : known[kind].join(', ');
    throw wrong(service, `${kind} ${JSON.stringify(strange)}`, `the engine does not know it (it knows: ${which})`);
  }
  for (const [key, value] of Object.entries(service.secrets)) {
    if (/[\r\n]/.test(value.trim())) throw wrong(service, `secrets ${JSON.stringify(key)}`, 'it has line breaks');
  }
}

export function wrong(service: ServiceRef, what: string, why: string): AegirError {
  return new AegirError(
    'invalid_argument',
    `cannot use service ${nameOnServer(service)}: ${what}: ${why}; correct that`,
    { untouched: true },
  );
}

export function needed(service: ServiceRef, kind: 'settings' | 'secrets', key: string): string {
  const value = service[kind][key];
  if (value !== undefined && value.trim() !== '') return value.trim();
  throw wrong(service, `${kind} "${key}"`, 'it is missing');
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** host, host:port, [IPv6]:port or a bare IPv6 address. */
export function endpointOf(service: ServiceRef, key: string, defaultPort: number): Endpoint {
  const text = needed(service, 'settings', key);
  const refuse = (why: string) => wrong(service, `settings "${key}"`, `${JSON.stringify(text)} ${why}`);
  if (isIP(text) === 6) return { host: text, port: defaultPort };
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw refuse('is no host name or address, perhaps with ":" and a port');
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > 65_535) throw refuse('has a port that is none');
  if (bracketed !== undefined && isIP(bracketed) !== 6)
    throw refuse('has something in brackets that is no IPv6 address');
  if (isIP(host) !== 0) return { host, port };
  try {
    return { host: hostName(host), port };
  } catch {
    throw refuse('is neither an IP address nor a host name');
  }
}

/** http or https, without user, query or fragment; no slash at the end. */
export function urlOf(service: ServiceRef, key: string, fallback?: string): string {
  const text = service.settings[key]?.trim() || fallback || needed(service, 'settings', key);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.username + url.password + url.search + url.hash === '';
  if (url !== undefined && plain && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '');
  throw wrong(service, `settings "${key}"`, 'an http or https URL without user, query or fragment is needed');
}

export function yesOrNo(service: ServiceRef, key: string, fallback: boolean): boolean {
  const text = service.settings[key]?.trim() ?? (fallback ? 'yes' : 'no');
  if (text === 'yes' || text === 'no') return text === 'yes';
  throw wrong(service, `settings "${key}"`, `${JSON.stringify(text)} is neither yes nor no`);
}

/** Names of zones between commas or spaces. */
export function zonesOf(service: ServiceRef, key: string): readonly string[] {
  const names = (service.settings[key] ?? '').split(/[\s,]+/).filter(Boolean);
  return names.map((name) => {
    try {
      return hostName(name, 'zone');
    } catch {
      throw wrong(service, `settings "${key}"`, `${JSON.stringify(name)} is no name of a zone`);
    }
  });
}
