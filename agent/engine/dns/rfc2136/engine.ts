// The engine dns/rfc2136: zones that somebody else's name server carries and lets us change by dynamic updates.
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Engine } from '../../engine.ts';
import { createRecordEngine } from '../record-engine.ts';
import { checkKeys, endpointOf, needed, wrong, yesOrNo, zonesOf } from '../settings.ts';
import { createUpdateTransport } from './transport.ts';
import { ALGORITHMS, isBase64, isKeyName, type TsigKey } from './tsig.ts';

export interface Rfc2136Options {
  readonly withinMs?: number;
}

/**
 * Settings: server (host or host:port), key-name, key-algorithm (default hmac-sha256), axfr (no: the server lets nobody
 * transfer its zones; then only records that a spec names are known), zones (where to look for records of a site of which
 * no spec is known). Secrets: key (base64). Without a key the server must trust our address.
 */
export function createRfc2136Engine(options: Rfc2136Options = {}): Engine<'dns'> {
  return createRecordEngine({
    name: 'rfc2136',
    // Its server may be anywhere: people declare it.
    detect: async () => [],
    async transport(service, { host }) {
      checkKeys(service, { settings: ['server', 'key-name', 'key-algorithm', 'axfr', 'zones'], secrets: ['key'] });
      const transfers = yesOrNo(service, 'axfr', true);
      const known = zonesOf(service, 'zones');
      const { withinMs } = options;
      return createUpdateTransport({
        host,
        server: { ...endpointOf(service, 'server', 53), key: keyOf(service) },
        transfers,
        zones: async () => (transfers ? known : []),
        tried: known,
        ...(withinMs === undefined ? {} : { withinMs }),
      });
    },
  });
}

function keyOf(service: ServiceRef): TsigKey | undefined {
  const { 'key-name': named, 'key-algorithm': chosen } = service.settings;
  if (named === undefined && chosen === undefined && service.secrets['key'] === undefined) return undefined;
  const name = needed(service, 'settings', 'key-name');
  if (!isKeyName(name)) throw wrong(service, 'settings "key-name"', `${JSON.stringify(name)} is no name of a key`);
  const algorithm = chosen?.trim().toLowerCase() ?? 'hmac-sha256';
  if (!(ALGORITHMS as readonly string[]).includes(algorithm)) {
    throw wrong(service, 'settings "key-algorithm"', `it is none of ${ALGORITHMS.join(', ')}`);
  }
  const secret = needed(service, 'secrets', 'key');
  if (!isBase64(secret)) throw wrong(service, 'secrets "key"', 'it is no base64 of 6 bytes or more');
  return { name, algorithm, secret };
}
