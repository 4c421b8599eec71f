// Checks of what is asked of an agent with parts of sites: snapshots and restores.
import type {
  ApplyChangesRequest,
  DropSnapshotRequest,
  LookFilesRequest,
  PartSource,
  RestoreDatabaseRequest,
  RestoreFilesRequest,
  TakeSnapshotRequest,
} from '../shared/gen/aegir/v1/backup.ts';
import type { Grant } from '../shared/gen/aegir/v1/mesh.ts';
import type { DbSpec, ServiceRef, SiteSpec } from '../shared/gen/aegir/v1/spec.ts';
import { isId } from '../shared/id.ts';
import { hostName } from '../shared/name.ts';
import { TREES, type Tree } from './backup/entry.ts';
import {
  checkDbSpec,
  checkId,
  checkPosition,
  checkService,
  checkSite,
  present,
  refuse,
  type ValidSite,
} from './validate-spec.ts';

export type ValidPart =
  | { readonly of: 'files'; readonly trees: readonly Tree[]; readonly last: boolean }
  | { readonly of: 'database'; readonly service: ServiceRef; readonly db: DbSpec; readonly placed: boolean }
  | { readonly of: 'changes'; readonly service: ServiceRef; readonly db: DbSpec; readonly position: string };
export type ValidSource = PartSource & { readonly grant: Grant };

export interface BackupRequests {
  takeSnapshot: { readonly snapshotId: string; readonly site: ValidSite; readonly part: ValidPart };
  dropSnapshot: { readonly snapshotId: string; readonly keepFor: string };
  lookFiles: { readonly siteId: string; readonly trees: readonly Tree[] };
  restoreFiles: {
    readonly site: ValidSite;
    readonly source: ValidSource;
    readonly trees: readonly Tree[];
    readonly fetchOnly: boolean;
  };
  restoreDatabase: {
    readonly service: ServiceRef;
    readonly db: DbSpec;
    readonly source: ValidSource;
    readonly again: boolean;
  };
  applyChanges: {
    readonly service: ServiceRef;
    readonly db: DbSpec;
    readonly source: ValidSource;
    readonly from: string;
  };
}

const MAX_GRANT = 4096;
const SIGNATURE = 64; // Ed25519

export function checkTakeSnapshot(request: TakeSnapshotRequest, serverId: string): BackupRequests['takeSnapshot'] {
  const site = siteOf(request.site);
  const part = present(request.part, 'part');
  return { ...checkSnapshotId(request), site, part: validPart(part, site.id, serverId) };
}

function validPart(part: NonNullable<TakeSnapshotRequest['part']>, siteId: string, serverId: string): ValidPart {
  if (part.$case === 'files') return { of: 'files', trees: validTrees(part.value.trees), last: part.value.last };
  const { service, db } = validDatabase(part.value.service, part.value.db, serverId);
  if (db.siteId !== siteId) refuse(`${part.$case}.db.site_id`, 'is another site than site.id');
  if (part.$case === 'database') return { of: 'database', service, db, placed: !part.value.withoutPosition };
  return { of: 'changes', service, db, position: checkPosition(part.value.position, 'changes.position') };
}

export function checkDropSnapshot({ snapshotId, keepFor }: DropSnapshotRequest): BackupRequests['dropSnapshot'] {
  if (keepFor !== '' && !isId('site', keepFor)) refuse('keep_for', 'is none of the form site-…');
  return { ...checkSnapshotId({ snapshotId }), keepFor };
}

function checkSnapshotId({ snapshotId }: { readonly snapshotId: string }): { readonly snapshotId: string } {
  if (!/^snap-[0-9a-z]{16}$/.test(snapshotId)) refuse('snapshot_id', 'is none of the form snap-…');
  return { snapshotId };
}

export function checkLookFiles({ siteId, trees }: LookFilesRequest): BackupRequests['lookFiles'] {
  checkId('site', siteId, 'site_id');
  return { siteId, trees: validTrees(trees) };
}

export function checkRestoreFiles(request: RestoreFilesRequest): BackupRequests['restoreFiles'] {
  return {
    site: siteOf(request.site),
    source: validSource(request.source, 'files'),
    trees: validTrees(request.trees),
    fetchOnly: request.fetchOnly,
  };
}

export function checkRestoreDatabase(
  request: RestoreDatabaseRequest,
  serverId: string,
): BackupRequests['restoreDatabase'] {
  const source = validSource(request.source, 'database');
  return { ...validDatabase(request.service, request.db, serverId), source, again: request.again };
}

export function checkApplyChanges(request: ApplyChangesRequest, serverId: string): BackupRequests['applyChanges'] {
  const source = validSource(request.source, 'changes');
  const from = checkPosition(request.from, 'from');
  return { ...validDatabase(request.service, request.db, serverId), source, from };
}

/** What it says is checked when it is used, with the key of the day. */
export function validSource(source: PartSource | undefined, part?: string): ValidSource {
  const there = present(source, 'source');
  const grant = present(there.grant, 'source.grant');
  if (grant.body.length === 0 || grant.body.length > MAX_GRANT) refuse('grant.body', `needs 1 to ${MAX_GRANT} bytes`);
  if (grant.signature.length !== SIGNATURE) refuse('grant.signature', `needs ${SIGNATURE} bytes`);
  if (part !== undefined && there.part !== part) refuse('source.part', `must be ${part}`);
  hostName(there.senderName, 'sender_name');
  return { ...there, grant };
}

/** What only an installer reads must not stand in the way of keeping a site. */
function siteOf(site: SiteSpec | undefined): ValidSite {
  const told = present(site, 'site');
  return checkSite({ ...told, title: '', locale: '', profile: '', adminName: '', adminMail: '' });
}

export function validTrees(trees: readonly string[]): readonly Tree[] {
  const sorted = TREES.filter((tree) => trees.includes(tree));
  if (trees.length === 0 || sorted.join() !== trees.join()) {
    refuse('trees', `must be some of ${TREES.join(', ')}, each once, in this order`);
  }
  return sorted;
}

function validDatabase(service: ServiceRef | undefined, db: DbSpec | undefined, serverId: string) {
  const there = present(service, 'service');
  checkService(there, serverId);
  if (there.type !== 'db') refuse('service.type', 'must be db');
  return { service: there, db: checkDbSpec(present(db, 'db')) };
}
