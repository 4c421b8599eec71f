// All tables over one way to the database: the store itself, and what a transaction sees of it.
import type { Access, OuterAccess } from './access.ts';
import { createAuditTable } from './audit-table.ts';
import { createBackupPolicyTable, createBackupTable, createStoreHoldTable } from './backup-table.ts';
import { createBatchTable } from './batch-table.ts';
import { createClientTable, createTokenTable } from './client-table.ts';
import { createCronTable } from './cron-table.ts';
import { createEventTable } from './event-table.ts';
import { createHeadTable } from './head-table.ts';
import { createPlatformTable } from './platform-table.ts';
import { createSecretTable, createSettingTable } from './secret-table.ts';
import { createCertificateTable, createServerTable } from './server-table.ts';
import { createServiceTable } from './service-table.ts';
import { createSiteTable } from './site-table.ts';
import { createStepTable } from './step-table.ts';
import type { Store, Tx } from './store.ts';
import { createTaskTable } from './task-table.ts';
import { createUsageTable } from './usage-table.ts';
import { createDnsRecordTable, createZoneTable } from './zone-table.ts';

function createTables(access: Access): Tx {
  return {
    servers: createServerTable(access),
    certificates: createCertificateTable(access),
    services: createServiceTable(access),
    platforms: createPlatformTable(access),
    sites: createSiteTable(access),
    clients: createClientTable(access),
    tokens: createTokenTable(access),
    secrets: createSecretTable(access),
    settings: createSettingTable(access),
    zones: createZoneTable(access),
    records: createDnsRecordTable(access),
    crons: createCronTable(access),
    usage: createUsageTable(access),
    heads: createHeadTable(access),
    backups: createBackupTable(access),
    backupPolicies: createBackupPolicyTable(access),
    storeHolds: createStoreHoldTable(access),
    batches: createBatchTable(access),
    tasks: createTaskTable(access),
    steps: createStepTable(access),
    events: createEventTable(access),
    audit: createAuditTable(access),
  };
}

/** release ends the connections, after whatever runs; called once, however often the store is closed. */
export function createStore(access: OuterAccess, release: () => Promise<void>): Store {
  let closed: Promise<void> | undefined;
  return {
    ...createTables(access),
    kind: access.kind,
    transaction: (work) => access.transaction((inner) => work(createTables(inner))),
    close: () => {
      access.shut();
      closed ??= release();
      return closed;
    },
  };
}
