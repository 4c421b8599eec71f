// What is done for backups by itself where nobody said otherwise. Pure.
import { type BackupPolicyRecord, DEFAULT_POLICY } from '../store/model-backup.ts';

/** Nothing is made, and nothing is thrown away. */
export const NO_POLICY: BackupPolicyRecord = {
  ...{ id: DEFAULT_POLICY, everySeconds: 0, serviceId: null, drillEverySeconds: 0, drillServerId: null },
  ...{ keepLast: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0, keepYearly: 0 },
};

/** Of a site: its own, or the one of all sites. */
export function policyOf(policies: readonly BackupPolicyRecord[], siteId: string): BackupPolicyRecord {
  return policies.find(({ id }) => id === siteId) ?? policies.find(({ id }) => id === DEFAULT_POLICY) ?? NO_POLICY;
}
