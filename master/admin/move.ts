// Moves of sites: from what a person asks to the place that a site shall be at, and its plan.
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import {
  type MigrateSiteRequest,
  MigrateSiteRequest as MigrateSiteRequestMessage,
} from '../../shared/gen/aegir/v1/move_admin.ts';
import { APPS, canUseDb, DB_ENGINES } from '../../shared/vocabulary.ts';
import { type Graph, isCluster } from '../graph/graph.ts';
import { requireFittingDb, requireUsable } from '../graph/rules.ts';
import { siteUrl } from '../graph/site-url.ts';
import { planMigrateSite } from '../plan/migrate-site.ts';
import { placeOf } from '../plan/move-steps.ts';
import type { Place, Plan } from '../plan/plan.ts';
import type { JsonObject, PlatformRecord, SecretRecord, SiteRecord } from '../store/model.ts';
import { newBackup } from './backup-new.ts';
import { change, type Decision } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { lastBackup } from './last-backup.ts';
import { findSite, requireState } from './site.ts';
import { sizesOf } from './site-sizes.ts';

const HOLD = { usual: 60_000, least: 1_000, most: 600_000 };
const QUIET = { usual: 300, least: 0, most: 30 * 86_400 };
const ROUNDS = { usual: 3, least: 1, most: 10 };

/** What is asked of every move, one or many. */
export type MoveWish = Pick<
  MigrateSiteRequest,
  'platform' | 'server' | 'db' | 'maxHoldMillis' | 'pastHold' | 'quietSeconds' | 'rounds' | 'skipLead'
> &
  Partial<Pick<MigrateSiteRequest, 'backup' | 'noBackup' | 'noFollow' | 'noDnsWait'>>;

export async function migrateSite(
  deps: AdminDeps,
  caller: Caller,
  request: MigrateSiteRequest,
): Promise<ChangeResponse> {
  const { options, ...asked } = request;
  const kept = {
    method: 'site.migrate' as const,
    ...(MigrateSiteRequestMessage.toJSON({ ...asked, options: undefined }) as JsonObject),
  };
  const decide = await migration(deps, request.site, request);
  return change(deps, caller, options, kept, decide);
}

/** Decides on one site; the sizes are read before, so that the decision is pure. */
export async function migration(
  deps: AdminDeps,
  ref: string,
  wish: MoveWish,
): Promise<(graph: Graph) => Decision & { readonly plan: Plan }> {
  checkWish(wish);
  const sizes = await sizesOf(deps, ref);
  const last = await lastBackup(deps, ref, {
    ...{ service: wish.backup ?? '', noBackup: wish.noBackup === true, usual: 'policy' },
    ...{ doing: 'move', without: 'move it by --no-backup' },
  });
  const id = deps.newId('sec');
  const secret: SecretRecord = { id, sealed: deps.seal(id, deps.newSecret()) };
  return (graph) => {
    const site = findSite(graph, ref);
    requireState(site, ['enabled', 'disabled'], 'move');
    const to = destination(graph, site, wish);
    const from = placeOf(site);
    if (JSON.stringify(from) === JSON.stringify(to)) {
      throw new AegirError(
        'failed_precondition',
        `cannot move ${site.name}: it is there already; name another --server, --platform or --db`,
      );
    }
    const live = from.db !== '' && to.db !== from.db && site.state === 'enabled';
    const follows = live && wish.noFollow !== true;
    const hasAccount = follows && DB_ENGINES[graph.service(from.db).engine]?.follows === 'by servers';
    const made = last?.(graph, site);
    const plan = planMigrateSite(graph, site, to, {
      maxHoldMillis: wish.maxHoldMillis || HOLD.usual,
      pastHold: wish.pastHold === 'maintenance' ? 'maintenance' : 'undo',
      quietSeconds: wish.quietSeconds || QUIET.usual,
      rounds: wish.rounds || ROUNDS.usual,
      skipLead: wish.skipLead,
      dnsWait: wish.noDnsWait !== true,
      follows,
      passwordSecret: hasAccount ? id : null,
      last: made ?? null,
      ...sizes,
    });
    return {
      plan,
      draft: { site, secrets: hasAccount ? [secret] : [] },
      save: async (tx, taskId) => {
        if (hasAccount) await tx.secrets.insert(secret);
        if (made === undefined) return;
        const backup = { id: made.id, store: made.store, reason: 'migrate' as const, taskId, takenAt: deps.now() };
        await tx.backups.insert(newBackup(graph, site, backup));
      },
    };
  };
}

export function checkWish({ maxHoldMillis, pastHold, quietSeconds, rounds }: MoveWish): void {
  const within = (what: string, value: number, { least, most }: { readonly least: number; readonly most: number }) => {
    if (value === 0 || (value >= least && value <= most)) return;
    throw new AegirError('invalid_argument', `cannot move with ${what} of ${value}: ${least} to ${most} is possible`);
  };
  within('a longest hold in milliseconds', maxHoldMillis, HOLD);
  within('a quiet time in seconds', quietSeconds, QUIET);
  within('rounds', rounds, ROUNDS);
  if (!['', 'undo', 'maintenance'].includes(pastHold)) {
    throw new AegirError(
      'invalid_argument',
      `cannot end a long hold by ${JSON.stringify(pastHold)}: undo or maintenance is possible`,
    );
  }
}

/** Platform, web server and database that the site shall be on. Throws with what to do when they cannot be. */
export function destination(graph: Graph, site: SiteRecord, wish: Pick<MoveWish, 'platform' | 'server' | 'db'>): Place {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot move ${site.name}: ${why}`);
  };
  const here = graph.platform(site.platformId);
  const server = wish.server === '' ? undefined : graph.server(wish.server);
  const platform = wish.platform === '' ? platformOn(graph, here, server?.id) : graph.platform(wish.platform);
  const http = graph.service(platform.serviceId);
  if (server !== undefined && http.serverId !== server.id) {
    refuse(`platform ${platform.name} is on ${graph.server(http.serverId).name}, not on ${server.name}`);
  }
  if (platform.state !== 'verified' || platform.app === '') {
    refuse(`platform ${platform.name} is ${platform.state}; run: aegir platform verify ${platform.name}`);
  }
  if (platform.app !== here.app) refuse(`it runs on ${here.app}, and platform ${platform.name} is ${platform.app}`);
  requireUsable(graph, http, 'http', `site ${site.name}`);
  const old = graph.service(site.bindings.http);
  if (isCluster(http) || isCluster(old)) {
    refuse('sites move between single web servers; to have other heads, see: aegir cluster add, aegir cluster remove');
  }
  if (http.id !== old.id && http.serverId === old.serverId) {
    refuse(
      `${graph.serviceName(old)} and ${graph.serviceName(http)} are on one server, and share what a site has there; move it to another server`,
    );
  }
  if (site.snippet !== null && site.snippet.engine !== http.engine) {
    refuse(
      `its snippet is in the words of ${site.snippet.engine}, and ${graph.serviceName(http)} is ${http.engine}; take it away, or give another one, first`,
    );
  }
  if (site.web.https !== 'off' && http.detected.ports[1] === undefined) {
    refuse(`${graph.serviceName(http)} has no port for HTTPS`);
  }
  const [url, other] = [siteUrl(site, old), siteUrl(site, http)];
  if (url !== other) {
    // Visitors come by the old URL until every old DNS answer has ended, and where they are then led nobody hears the other port.
    refuse(
      `it is ${url}, and would be ${other} there: whoever has the old one would find nothing; give ${graph.serviceName(http)} the port of ${graph.serviceName(old)}, or make a copy by: aegir site clone`,
    );
  }
  return { platformId: platform.id, http: http.id, db: dbFor(graph, site, platform, wish.db, http.serverId) };
}

/** The one like it on another server: of the same app and version, or the only one of the app. */
function platformOn(graph: Graph, here: PlatformRecord, serverId: string | undefined): PlatformRecord {
  if (serverId === undefined || graph.service(here.serviceId).serverId === serverId) return here;
  const name = graph.server(serverId).name;
  if (!graph.enabled('http').some((each) => each.serverId === serverId)) {
    const db = graph.enabled('db').find((each) => each.serverId === serverId);
    const alone =
      db === undefined ? '' : `, or move databases alone: aegir site migrate SITE --db ${graph.serviceName(db)}`;
    throw new AegirError(
      'failed_precondition',
      `cannot move to ${name}: no web server is enabled there; see: aegir service list --server ${name}${alone}`,
    );
  }
  const there = graph.platforms.filter(
    (each) => each.app === here.app && each.state === 'verified' && graph.service(each.serviceId).serverId === serverId,
  );
  const same = there.filter((each) => each.facts?.version === here.facts?.version);
  const [only] = same.length === 1 ? same : there.length === 1 ? there : [];
  if (only !== undefined) return only;
  throw new AegirError(
    'failed_precondition',
    there.length === 0
      ? `cannot move to ${name}: it has no platform of ${here.app}; see: aegir platform add --help`
      : `cannot choose a platform on ${name}: there are ${there.map((each) => each.name).join(', ')}; name one with --platform`,
  );
}

function dbFor(graph: Graph, site: SiteRecord, platform: PlatformRecord, ref: string, serverId: string): string {
  const now = site.bindings.db;
  if (now === undefined) {
    if (ref === '') return '';
    throw new AegirError('invalid_argument', `cannot move the database of ${site.name}: it has none`);
  }
  const app = platform.app === '' ? undefined : platform.app;
  const old = graph.service(now);
  if (ref !== '') {
    const service = graph.service(ref, 'db');
    if (service.id === old.id) return old.id;
    requireUsable(graph, service, 'db', `site ${site.name}`);
    if (app !== undefined && APPS[app].db !== 'none') requireFittingDb(graph, service, app, `site ${site.name}`);
    requireSameKind(graph, site, old.engine, service);
    return service.id;
  }
  // It comes along where the new server has one of its kind; otherwise it stays.
  const there = graph
    .enabled('db')
    .filter(
      (each) =>
        each.serverId === serverId && each.engine === old.engine && (app === undefined || canUseDb(app, each.engine)),
    );
  const moves = graph.service(site.bindings.http).serverId !== serverId;
  const [only] = there;
  return moves && only !== undefined && there.length === 1 ? only.id : old.id;
}

function requireSameKind(
  graph: Graph,
  site: SiteRecord,
  engine: string,
  to: { readonly engine: string; readonly id: string },
): void {
  if (to.engine === engine) return;
  throw new AegirError(
    'failed_precondition',
    `cannot move the database of ${site.name} to ${graph.serviceName(graph.service(to.id))}: it is on ${engine}, whose dumps ${to.engine} does not read`,
  );
}

/**
 * What goes of a site that shall leave a server: what it has there, and nothing else. leaving: the server's id. Throws
 * failed_precondition when its database lies there and the new server has no place for it.
 */
export function wishFor<W extends Pick<MoveWish, 'platform' | 'server' | 'db'>>(
  graph: Graph,
  site: SiteRecord,
  wish: W & { readonly leaving?: string },
): W {
  const { leaving, ...asked } = wish;
  const rest = asked as unknown as W;
  const { http, db } = site.bindings;
  if (leaving === undefined || db === undefined) return rest;
  const alone = graph.service(http).serverId === leaving ? {} : { platform: '', server: '' };
  if (wish.db !== '') return { ...rest, ...alone };
  const { engine, serverId } = graph.service(db);
  // It goes on where it is, whatever the new server has.
  if (serverId !== leaving) return { ...rest, ...alone, db };
  const to = graph.server(wish.server || graph.service(graph.platform(wish.platform).serviceId).serverId);
  const [only, ...others] = graph.enabled('db').filter((each) => each.serverId === to.id && each.engine === engine);
  if (only !== undefined && others.length === 0) return { ...rest, ...alone, db: only.id };
  throw new AegirError(
    'failed_precondition',
    `cannot move the database of ${site.name} to ${to.name}: ` +
      (only === undefined
        ? `no ${engine} is enabled there; enable one, or name another by --db`
        : 'it has several; name one by --db'),
  );
}
