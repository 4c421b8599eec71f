// The arguments of the steps about zones and the records of sites.
import type { DeclaredRecord, PlannedRecord, ZoneValues } from './plan.ts';

export interface DnsStepArgs {
  'dns.publish': {
    serviceId: string;
    siteId: string;
    /** Apex; '' where no zone of ours holds the names. */
    zone: string;
    records: readonly PlannedRecord[];
    before: 'absent' | 'present';
    /** What undo publishes again, where that is something else than records. */
    was?: readonly PlannedRecord[];
  };
  'dns.unpublish': {
    serviceId: string;
    siteId: string;
    zone: string;
    records: readonly PlannedRecord[];
  };
  /** Waits until the records are what every name server of theirs answers. */
  'dns.await': {
    serviceId: string;
    siteId: string;
    zone: string;
    records: readonly PlannedRecord[];
    /** A service that has published them up to now: also until the public asks it no more. */
    leaves?: string;
  };
  /** Bring the zone to its record in the store; undo removes it when it was absent, or brings it to what it was. */
  'zone.apply': { zoneId: string; serviceId: string; before: 'absent' | 'present'; was: ZoneValues | null };
  'zone.remove': { zoneId: string; serviceId: string; name: string };
  /** The records that people declared; undo publishes those of before. */
  'zone.publish': {
    zoneId: string;
    serviceId: string;
    records: readonly PlannedRecord[];
    before: readonly PlannedRecord[];
  };
  /** The zone's state in the graph; undo sets before, or, when that is absent, forgets the zone. */
  'zone.record': { zoneId: string; to: 'active' | 'deleting'; before: 'absent' | 'new' | 'active' | 'deleting' };
  'zone.set': { zoneId: string; to: ZoneValues; before: ZoneValues };
  /** Rows of declared records. */
  'zone.declare': { zoneId: string; add: readonly DeclaredRecord[]; remove: readonly DeclaredRecord[] };
  'zone.forget': { zoneId: string };
}
