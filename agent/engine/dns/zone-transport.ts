// The port of the record engine to one dns service: how zones are read and written there.
import type { DnsRecord } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Contents, Edit } from './rrset.ts';

export interface ZoneTransport {
  /** Zones that may hold records of ours, for when nobody says which. */
  zones(signal: AbortSignal): Promise<readonly string[]>;
  /** Whether the service answers and takes the key that was declared, where zones() does not show that. */
  tryOut?(signal: AbortSignal): Promise<void>;
  /**
   * At least these names with their marks, everything where that can be had. Bounded in time and size. Throws not_found
   * when it is sure that there is no such zone, and for nothing else: then there is nothing of ours in it.
   */
  read(zone: string, names: readonly string[], signal: AbortSignal): Promise<Contents>;
  /** All edits or none. Throws aborted when the zone is not as the edits expect it. */
  write(zone: string, edits: readonly Edit[], signal: AbortSignal): Promise<void>;
  /** What people should know of a change before it is made: that a server may refuse it, which only it can say. */
  doubt?(zone: string, edits: readonly Edit[], contents: Contents): string | undefined;
  /** Records as the service will take them, where it has a say in that. */
  adjust?(zone: string, records: readonly DnsRecord[], signal: AbortSignal): Promise<readonly DnsRecord[]>;
}

/** What the zone is like is not what was seen when the change was planned. */
export const CHANGED = 'somebody else has changed it meanwhile; try again';
