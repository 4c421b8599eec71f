// Looks at backups: whether one is whole in its store, and whether it can be restored.
import { AegirError } from '../../shared/error.ts';
import type { ChangeOptions, ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { DrillBackupRequest, VerifyBackupRequest } from '../../shared/gen/aegir/v1/backup_admin.ts';
import type { Graph } from '../graph/graph.ts';
import { scratchName } from '../graph/scratch.ts';
import { planVerifyBackup } from '../plan/backup.ts';
import { planDrill } from '../plan/drill.ts';
import type { PlatformRecord, SecretRecord, ServerRecord, ServiceRecord, SiteAuth } from '../store/model.ts';
import type { BackupRecord } from '../store/model-backup.ts';
import { findBackup, requireReady } from './backup.ts';
import { requireMesh } from './backup-new.ts';
import { requireStill } from './backup-restore.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { makeSecret } from './install-site.ts';
import { loadGraph } from './load.ts';
import { hashSecret } from './site-access.ts';
import { dbFor, type Fresh, ofEngine, platformFor, siteFromBackup } from './site-from-backup.ts';
import { siteRef } from './site-ref.ts';

export async function verifyBackup(
  deps: AdminDeps,
  caller: Caller,
  request: VerifyBackupRequest,
): Promise<ChangeResponse> {
  const backup = await findBackup(deps.store, request.backup);
  // One that was found damaged may have been mended, and one that was not found may be there again.
  if (backup.state !== 'damaged' && backup.state !== 'missing') requireReady(backup, 'look at');
  const { options, ...asked } = request;
  return change(deps, caller, options, { method: 'backup.verify', ...asked }, (graph) => ({
    plan: planVerifyBackup(graph, backup, !request.quick),
  }));
}

export async function drillBackup(
  deps: AdminDeps,
  caller: Caller,
  request: DrillBackupRequest,
): Promise<ChangeResponse> {
  requireMesh(deps);
  const backup =
    request.backup === '' ? await newestOf(deps, request.site) : await findBackup(deps.store, request.backup);
  requireReady(backup, 'try');
  const { options, ...asked } = request;
  const fresh: Fresh = {
    ...{ id: deps.newId('site'), now: deps.now() },
    ...{ password: makeSecret(deps), salt: makeSecret(deps) },
  };
  const closed = await closedToAll(deps, caller, options);
  return change(deps, caller, options, { method: 'backup.drill', ...asked }, (graph) => {
    const { platform, db } = placeFor(graph, backup, request.server);
    const { web } = backup.site;
    const made = siteFromBackup(graph, backup, scratchName(fresh.id), platform, db, fresh, {
      web: { ...web, https: 'off', redirect: false, hstsSeconds: 0, redirectTo: '' },
      cronSeconds: 0,
      adminMail: 'admin@example.invalid',
      auth: closed.auth,
    });
    const secrets = [...made.secrets, ...closed.secrets];
    return {
      plan: planDrill(graph, made.site, backup),
      draft: { site: made.site, secrets },
      save: async (tx) => {
        await requireStill(tx, backup.id);
        for (const secret of secrets) await tx.secrets.insert(secret);
        await tx.sites.insert(made.site);
      },
    };
  });
}

/**
 * Who may see the scratch site: the probe, by a password that nobody is told. Its name is in the plan, which everybody may
 * read, and what it holds may be of a site that is for few, or for nobody.
 */
async function closedToAll(
  deps: AdminDeps,
  caller: Caller,
  options: ChangeOptions | undefined,
): Promise<{ readonly auth: SiteAuth; readonly secrets: readonly SecretRecord[] }> {
  const password = deps.newSecret();
  const id = deps.newId('sec');
  const hash = await hashSecret(deps, caller, options, password);
  return {
    auth: { realm: 'Restore drill', users: [{ name: 'drill', secret: hash.id }], probe: id },
    secrets: [hash, { id, sealed: deps.seal(id, password) }],
  };
}

async function newestOf(deps: AdminDeps, named: string): Promise<BackupRecord> {
  if (named === '') throw new AegirError('invalid_argument', 'cannot try a backup: neither it nor its site was named');
  const ref = siteRef(named);
  const graph = await loadGraph(deps.store);
  const there = graph.sites.find(({ id, name, aliases }) => id === ref || name === ref || aliases.includes(ref));
  const all = await deps.store.backups.find();
  const ready = all
    .filter(({ siteId, siteName }) => (there === undefined ? siteId === ref || siteName === ref : siteId === there.id))
    .filter(({ state }) => state === 'ready')
    .sort((a, b) => b.takenAt - a.takenAt);
  const [newest] = ready;
  if (newest !== undefined) return newest;
  if (there === undefined) graph.site(ref);
  throw new AegirError(
    'failed_precondition',
    `cannot try a backup of ${ref}: it has none; run: aegir backup create ${ref}`,
  );
}

/** Where the site is or was; with a server named, that server's own services of the same kinds, as far as it has them. */
function placeFor(
  graph: Graph,
  backup: BackupRecord,
  ref: string,
): { readonly platform: PlatformRecord; readonly db: ServiceRecord | undefined } {
  if (ref === '') return { platform: platformFor(graph, backup, ''), db: dbFor(graph, backup, '') };
  const server = graph.server(ref);
  const platform = platformOn(graph, backup, server);
  const { dbEngine } = backup.site;
  if (dbEngine === '') return { platform, db: undefined };
  const own = graph.enabled('db').find(({ serverId, engine }) => serverId === server.id && engine === dbEngine);
  const db = own === undefined ? dbFor(graph, backup, '') : ofEngine(graph, own, dbEngine, 'the drill');
  return { platform, db };
}

function platformOn(graph: Graph, backup: BackupRecord, server: ServerRecord): PlatformRecord {
  const there = graph.platforms.filter(
    ({ serviceId, app, state }) =>
      app === backup.site.app && state === 'verified' && graph.service(serviceId).serverId === server.id,
  );
  const found = there.find(({ facts }) => facts?.version === backup.site.appVersion) ?? there[0];
  if (found !== undefined) return found;
  throw new AegirError(
    'failed_precondition',
    `cannot try backup ${backup.id} on ${server.name}: it has no platform of app ${backup.site.app}; run: aegir platform add NAME PATH --service ${server.name}/ENGINE`,
  );
}
