// The ZoneTransport of name servers that take dynamic updates.
import type { Host } from '../../../host/host.ts';
import { contentsOf } from '../rrset.ts';
import type { ZoneTransport } from '../zone-transport.ts';
import { askNames, transferZone, trySignature } from './dig.ts';
import type { NameServer } from './tsig.ts';
import { mailDoubt, sendUpdate } from './update.ts';

/** For all questions of one reading. */
const WITHIN_MS = 20_000;

export interface UpdateTransportOptions {
  readonly host: Host;
  readonly server: NameServer;
  /** Whether zones can be read whole; else only the names asked for are known. */
  readonly transfers: boolean;
  readonly zones: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Where it is seen whether the server takes our key; empty: anywhere. Left out where the server is ours: it takes our key and any record. */
  readonly tried?: readonly string[];
  readonly withinMs?: number;
}

export function createUpdateTransport(options: UpdateTransportOptions): ZoneTransport {
  const { host, server, transfers, zones, tried, withinMs = WITHIN_MS } = options;
  const dig = { host, server, withinMs };
  return {
    zones,
    ...(tried === undefined ? {} : { tryOut: (signal) => trySignature(dig, tried, signal), doubt: mailDoubt }),
    async read(zone, names, signal) {
      return contentsOf(await (transfers ? transferZone(dig, zone, signal) : askNames(dig, zone, names, signal)));
    },
    write: (zone, edits, signal) => sendUpdate(host, server, zone, edits, signal),
  };
}
