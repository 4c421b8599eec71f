// Restores: a backup into its own site, or into a new one.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { RestoreBackupRequest } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { hostName } from '../../shared/name.ts';
import { policyOf } from '../graph/backup-policy.ts';
import type { Graph } from '../graph/graph.ts';
import { chooseStore } from '../graph/stores.ts';
import { planRestoreAs, planRestoreSite } from '../plan/restore.ts';
import type { SecretRecord, SiteAuth, SiteRecord } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import type { Tx } from '../store/store.ts';
import { findBackup, requireReady } from './backup.ts';
import { newBackup, requireMesh } from './backup-new.ts';
import { change, type Decision } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { chooseDns, makeSecret } from './install-site.ts';
import { servingOf } from './restored-serving.ts';
import { requireState } from './site.ts';
import { dbFor, type Fresh, platformFor, siteFromBackup } from './site-from-backup.ts';
import { sizesOf } from './site-sizes.ts';

export async function restoreBackup(
  deps: AdminDeps,
  caller: Caller,
  request: RestoreBackupRequest,
): Promise<ChangeResponse> {
  requireMesh(deps);
  const backup = await findBackup(deps.store, request.backup);
  requireReady(backup, 'restore');
  const newName = request.newName === '' ? '' : hostName(request.newName, 'site name');
  const { options, ...asked } = request;
  const there = await deps.store.sites.get(backup.siteId);
  const kept = { method: 'backup.restore' as const, ...asked };
  if (newName === '' && there !== undefined) {
    if (!request.confirm && options?.planOnly !== true) {
      throw new AegirError(
        'failed_precondition',
        `cannot restore ${there.name}: it was not confirmed that the site becomes what the backup holds; say --yes`,
      );
    }
    const decide = await inPlace(deps, backup);
    return change(deps, caller, options, kept, decide);
  }
  const decide = await asNew(deps, backup, request, newName || backup.siteName);
  return change(deps, caller, options, kept, decide);
}

async function inPlace(deps: AdminDeps, backup: BackupRecord): Promise<(graph: Graph) => Decision> {
  const policies = await deps.store.backupPolicies.find();
  const sizes = await sizesOf(deps, backup.siteId);
  const id = deps.newId('bak');
  return (graph) => {
    const site = graph.site(backup.siteId);
    requireState(site, ['enabled', 'disabled', 'failed'], 'restore');
    requireSameKind(graph, site, backup);
    // Beside the one that is restored, unless the policy says another place.
    const wanted = policyOf(policies, site.id).serviceId ?? backup.serviceId;
    const store = chooseStore(graph, '', wanted, `the backup of ${site.name} as it is`);
    return {
      plan: planRestoreSite(graph, site, backup, { id, store }, sizes),
      save: async (tx, taskId) => {
        await requireStill(tx, backup.id);
        const made = { id, store, reason: 'restore' as const, taskId, takenAt: deps.now() };
        await tx.backups.insert({ ...newBackup(graph, site, made), note: `before the restore of ${backup.id}` });
      },
    };
  };
}

function requireSameKind(graph: Graph, site: SiteRecord, backup: BackupRecord): void {
  platformFor(graph, backup, site.platformId);
  const engine = site.bindings.db === undefined ? '' : graph.service(site.bindings.db).engine;
  if (engine === backup.site.dbEngine) return;
  throw new AegirError(
    'failed_precondition',
    `cannot restore backup ${backup.id} into ${site.name}: it is of a site with ${backup.site.dbEngine || 'no database'}, and the site has ` +
      `${engine || 'none'}; restore it to a new name by --as NAME`,
  );
}

async function asNew(
  deps: AdminDeps,
  backup: BackupRecord,
  request: RestoreBackupRequest,
  name: string,
): Promise<(graph: Graph) => Decision> {
  const fresh: Fresh = {
    ...{ id: deps.newId('site'), now: deps.now() },
    ...{ password: makeSecret(deps), salt: makeSecret(deps) },
  };
  const original = await deps.store.sites.get(backup.siteId);
  const auth = original?.auth ? await copiedAuth(deps, original.auth) : { auth: null, secrets: [] };
  return (graph) => {
    const platform = platformFor(graph, backup, request.platform);
    const db = dbFor(graph, backup, request.db);
    const taken = new Set(graph.sites.flatMap((site) => [site.name, ...site.aliases]));
    const aliases = name === backup.siteName ? backup.site.aliases.filter((alias) => !taken.has(alias)) : [];
    const clientId = graph.clients.find(({ id }) => id === backup.site.clientId)?.id ?? null;
    const dns = chooseDns(graph, '', platform, name, aliases);
    const bindings = {
      http: platform.serviceId,
      ...(db === undefined ? {} : { db: db.id }),
      ...(dns === undefined ? {} : { dns: dns.id }),
    };
    const { snippet, hidden } = servingOf(graph, backup, name, platform, auth.auth);
    const made = siteFromBackup(graph, backup, name, platform, db, fresh, {
      ...{ aliases, clientId, bindings, auth: auth.auth, snippet },
    });
    const warnings = [
      ...hidden,
      ...(backup.site.web.https === 'own'
        ? ['Its certificate is in no backup: it is served over HTTP until it gets one.']
        : []),
    ];
    const secrets = [...made.secrets, ...auth.secrets];
    return {
      plan: planRestoreAs(graph, made.site, backup, hidden.length > 0 ? 'disabled' : 'enabled', warnings),
      draft: { site: made.site, secrets },
      save: async (tx) => {
        await requireStill(tx, backup.id);
        for (const secret of secrets) await tx.secrets.insert(secret);
        await tx.sites.insert(made.site);
      },
    };
  };
}

/** The same names and passwords, as secrets of its own. */
export async function copiedAuth(deps: AdminDeps, { realm, users }: SiteAuth) {
  const secrets: SecretRecord[] = [];
  const copies: { name: string; secret: string }[] = [];
  for (const { name, secret } of users) {
    const sealed = (await deps.store.secrets.get(secret))?.sealed;
    if (sealed === undefined) continue;
    const id = deps.newId('sec');
    secrets.push({ id, sealed: deps.seal(id, deps.unseal(secret, sealed)) });
    copies.push({ name, secret: id });
  }
  return { auth: copies.length === 0 ? null : { realm, users: copies }, secrets };
}

/** Looked at again in the transaction that makes the task. */
export async function requireStill(tx: Tx, backupId: string): Promise<void> {
  requireReady(await findBackup(tx, backupId), 'read');
}
