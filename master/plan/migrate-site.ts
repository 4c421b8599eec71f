// Plan of site.migrate: the site moves while it serves. Copies first, visitors held for the last one, then handed to the new
// place, until the last old DNS answer has ended. Up to the point of no return everything undoes to the old place.
import { displayName } from '../../shared/name.ts';
import { DB_ENGINES } from '../../shared/vocabulary.ts';
import { createGraph, type Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import { backupSteps, recordStep, type SiteSizes } from './backup-steps.ts';
import { type LastBackup, siteRemove } from './change-site.ts';
import { dnsAlong, lowerSteps, switchSteps } from './migrate-dns.ts';
import { warningsOf } from './migrate-warnings.ts';
import {
  checkStep,
  copyDatabase,
  copyFiles,
  gateClose,
  gateForward,
  gateHold,
  type Move,
  moveStep,
  nameOf,
  noteSettings,
  placeOf,
  publishAt,
  reachStep,
  serverOf,
  siteAt,
} from './move-steps.ts';
import type { Place, Plan, PlannedMove, PlanStep } from './plan.ts';
import { sitePrepareOn } from './steps.ts';

/** What is left of a hold for going back, so that nobody who waits is refused: a quarter, and no more than this. */
const MOST_BACK_MS = 15_000;

export interface MigrateOptions extends SiteSizes {
  readonly maxHoldMillis: number;
  readonly pastHold: 'undo' | 'maintenance';
  readonly quietSeconds: number;
  readonly rounds: number;
  readonly skipLead: boolean;
  /** Whether it waits until DNS leads to the new place. */
  readonly dnsWait: boolean;
  /** Whether the database follows the old one, where it can, instead of being copied as visitors wait. */
  readonly follows: boolean;
  /** Sealed password for databases to follow each other by, saved with the task; null for those that need none. */
  readonly passwordSecret: string | null;
  /** Made before anything moves; null for none. */
  readonly last: LastBackup | null;
}

const FORWARD = { none: 'from here on there is only forward' } as const;

export function planMigrateSite(graph: Graph, site: SiteRecord, to: Place, options: MigrateOptions): Plan {
  const from = placeOf(site);
  const move: Move = { graph, site, from, to };
  const shown = displayName(site.name);
  const app = graph.platform(site.platformId).app;
  const live = site.state === 'enabled';
  const [oldServer, newServer] = [serverOf(move, from.http), serverOf(move, to.http)];
  const web = from.http !== to.http;
  const host = oldServer !== newServer;
  const db = from.db !== '' && from.db !== to.db;
  const hasFiles = app !== '';
  const upgrade = from.platformId !== to.platformId && versionOf(graph, from) !== versionOf(graph, to);
  const replicate = db && live && options.follows && canFollow(engineOf(graph, from), engineOf(graph, to));
  const { passwordSecret } = options;
  const moving = (phase: PlannedMove['phase']): PlannedMove => ({ from, to, phase });

  const steps: PlanStep[] = [];
  const add = (...more: readonly PlanStep[]): number => steps.push(...more) - more.length;

  if (replicate && passwordSecret !== null) {
    add({
      kind: 'secrets.keep',
      args: { secretIds: [passwordSecret] },
      summary: 'Keep a password for the databases to follow each other by',
      serverId: null,
      undo: { summary: 'forget it' },
    });
  }
  if (options.last !== null) {
    const { id, store, sizes } = options.last;
    add(recordStep(site, id));
    add(...backupSteps(graph, site, id, store, sizes, steps.length).steps);
  }
  add(moveStep(move, moving('copying'), null, `Record that ${shown} is on its way to ${nameOf(move, to.http)}`));
  add(checkStep(move));
  const lead = live && host && !options.skipLead ? lowerSteps(move) : [];
  // Lowered first: the copies are made while old answers end.
  add(...lead.filter(({ kind }) => kind === 'dns.publish'));
  if (from.db !== '' && !db && host) add(...sharedDatabase(move));
  if (db) {
    add({
      kind: 'db.create',
      args: { serviceId: to.db, siteId: site.id, before: 'absent', place: to },
      summary: `Create database ${site.database} and its user on ${nameOf(move, to.db)}`,
      serverId: serverOf(move, to.db),
      undo: { summary: `drop database ${site.database} and its user` },
    });
  }
  const target = createGraph({
    ...graph,
    sites: graph.sites.map((each) => (each.id === site.id ? siteAt(site, to) : each)),
  });
  const prepare = (): PlanStep => {
    const step = sitePrepareOn(target, siteAt(site, to), newServer, host ? 'absent' : 'present');
    return step.kind === 'site.prepare' ? { ...step, args: { ...step.args, place: to } } : step;
  };
  // Where the server stays, settings would change under the site while it serves.
  if (host) add(prepare());
  if (web) {
    add(
      publishAt(move, to, 'disabled', 'absent', {
        summary: `Prepare ${shown} on ${nameOf(move, to.http)}, answering with a maintenance page`,
      }),
    );
    add(reachStep(move));
  }
  let open: number | null = null;
  if (replicate) {
    open = add({
      kind: 'replica.open',
      args: { siteId: site.id, from, to, passwordSecret },
      summary: `Let ${nameOf(move, to.db)} follow the database on ${nameOf(move, from.db)}, where it can`,
      serverId: serverOf(move, from.db),
      undo: { summary: 'let nobody follow it' },
    });
  }
  if (db) add(copyDatabase(move, 1, null, null));
  const follow = (summary: string): PlanStep[] =>
    open === null
      ? []
      : [
          {
            kind: 'replica.follow',
            args: { siteId: site.id, from, to, passwordSecret, open },
            summary,
            serverId: serverOf(move, to.db),
            undo: { summary: 'follow no more' },
          },
        ];
  add(...follow('Follow it from that copy on'));
  if (host && hasFiles) for (let round = 1; round <= options.rounds; round++) add(copyFiles(move, round, null));
  add(...lead.filter(({ kind }) => kind === 'move.wait'));
  // What came meanwhile, so that visitors wait for less.
  if (lead.some(({ kind }) => kind === 'move.wait')) {
    if (host && hasFiles) add(copyFiles(move, options.rounds + 1, null));
  }
  // Servers that follow each other did so all the time.
  if (passwordSecret === null) add(...follow('Bring what changed in it since'));
  if (db && options.rounds > 1) add(copyDatabase(move, 2, null, open));

  // Nobody writes at the old place from here on.
  add(moveStep(move, moving('held'), moving('copying'), 'Record that its visitors wait'));
  const hold = live ? add(gateHold(move, options.maxHoldMillis, options.pastHold)) : -1;
  // Past the bound visitors are asked to come again, but the move goes on.
  const deadline =
    live && options.pastHold === 'undo'
      ? { step: hold, millis: options.maxHoldMillis - Math.min(MOST_BACK_MS, options.maxHoldMillis / 4) }
      : { step: hold, millis: 24 * 3_600_000 };
  if (live) {
    add(
      publishAt(move, from, 'held', 'enabled', {
        cron: true,
        summary: `Have visitors of ${shown} wait; nothing of it runs on ${nameOf(move, from.http)} any more`,
        undo: { summary: 'serve it again' },
      }),
    );
  }
  if (db) {
    add({
      kind: 'db.freeze',
      args: { serviceId: from.db, siteId: site.id, place: from },
      summary: `Let nobody into the database on ${nameOf(move, from.db)}`,
      serverId: serverOf(move, from.db),
      undo: { summary: 'let the site in again' },
    });
  }
  let guard: number | null = null;
  if (upgrade && from.db !== '' && !db) {
    guard = add({
      kind: 'db.guard',
      args: { serviceId: from.db, siteId: site.id, place: from },
      summary: `Keep the database of ${shown} as it is, on its server`,
      serverId: serverOf(move, from.db),
      undo: { summary: 'bring it back' },
    });
  }
  if (open !== null) {
    add({
      kind: 'replica.finish',
      args: { siteId: site.id, from, to, passwordSecret, open, deadline },
      summary: 'Follow it to the end, and no more then',
      serverId: serverOf(move, to.db),
      undo: { summary: 'keep nothing for it' },
    });
  }
  if (db) add(copyDatabase(move, 3, deadline, open));
  if (host && hasFiles) add(copyFiles(move, options.rounds + 2, deadline));
  // Noted here, so that they are back before anybody is let in again.
  if (!host) add(noteSettings(move), prepare());
  if (upgrade && app !== 'static' && app !== 'php') {
    add({
      kind: 'site.upgrade',
      args: { serverId: newServer, siteId: site.id, place: to },
      summary: `Have ${app} bring the database to ${graph.platform(to.platformId).name}`,
      serverId: newServer,
      undo: { none: 'the database comes back as it was kept, or goes' },
    });
  }
  const state = live ? 'enabled' : 'disabled';
  add(
    // Undoing waits for nobody here: visitors have their old place first, and this goes with what was prepared for it.
    publishAt(move, to, state, web ? state : live ? 'held' : 'disabled', {
      cron: !live,
      ...(web ? { undo: { none: 'it goes with what was prepared there' } } : {}),
      // Where it stays, visitors wait on: their words are taken by what the next step has seen to answer, or by what was.
      ...(live ? { believes: oldServer, closed: true, holds: !web } : {}),
      summary: live
        ? `Serve ${shown} on ${nameOf(move, to.http)} to nobody but ${graph.server(oldServer).name} yet`
        : `Have ${shown} on ${nameOf(move, to.http)}`,
    }),
  );
  if (live) {
    add({
      kind: 'site.probe',
      args: { serviceId: to.http, siteId: site.id, place: to },
      summary: `Ask ${shown} for its home page on ${graph.server(newServer).name}`,
      serverId: newServer,
      undo: { none: 'it only looks' },
    });
  }
  // Visitors write at the new place as soon as they are handed there: nothing after it may go back.
  const dns = dnsAlong(move);
  const services = [to.http, to.db, dns?.to ?? ''].filter((id) => id !== '');
  const pointOfNoReturn = add({
    kind: 'site.place',
    args: { siteId: site.id, to, before: from, ...(dns === undefined ? {} : { dns }) },
    summary: `Record ${shown} on ${[graph.platform(to.platformId).name, ...services.map((id) => nameOf(move, id))].join(', ')}`,
    serverId: null,
    undo: FORWARD,
  });
  if (live) {
    for (const [index, step] of steps.entries()) {
      if (index > hold && index < pointOfNoReturn) steps[index] = { ...step, within: deadline };
    }
  }
  add(moveStep(move, moving('moved'), moving('held'), 'Record that it has moved'));
  if (live) {
    const openToAll = publishAt(move, to, 'enabled', 'enabled', {
      ...{ cron: true, believes: oldServer, undo: FORWARD },
      summary: `Serve ${shown} on ${nameOf(move, to.http)} to all`,
    });
    add(gateForward(move));
    if (!web) add(openToAll);
    if (web) {
      add(
        publishAt(move, from, 'moved', 'held', {
          upstream: to,
          summary: `Hand visitors who still come to ${nameOf(move, from.http)} on`,
          undo: FORWARD,
        }),
      );
    }
    add(gateClose(move));
    // Visitors come there straight as soon as a name server says so, and not before.
    if (web) add(openToAll);
  }
  if (host) add(...switchSteps(move, live, lead.length > 0, options, oldServer));
  if (live) {
    add(
      publishAt(move, to, 'enabled', 'enabled', {
        cron: true,
        summary: `Believe nobody else on who the visitors of ${shown} are`,
        undo: FORWARD,
      }),
    );
  }
  if (web) {
    add({
      kind: 'http.unpublish',
      args: { serviceId: from.http, siteId: site.id },
      summary: `Take ${shown} off ${nameOf(move, from.http)}`,
      serverId: oldServer,
      undo: FORWARD,
    });
  }
  if (open !== null && passwordSecret !== null) {
    add({
      kind: 'replica.close',
      args: { siteId: site.id, from, open },
      summary: 'Let nobody follow the old database any more',
      serverId: serverOf(move, from.db),
      undo: FORWARD,
    });
  }
  if (db) {
    add({
      kind: 'db.drop',
      args: { serviceId: from.db, siteId: site.id },
      summary: `Drop database ${site.database} and its user on ${nameOf(move, from.db)}`,
      serverId: serverOf(move, from.db),
      undo: FORWARD,
    });
  } else if (from.db !== '' && host) {
    add({
      kind: 'db.create',
      args: { serviceId: from.db, siteId: site.id, before: 'present', place: to },
      summary: `Let ${graph.server(newServer).name} alone use the database on ${nameOf(move, from.db)}`,
      serverId: serverOf(move, from.db),
      undo: FORWARD,
    });
  }
  if (guard !== null) {
    add({
      kind: 'db.unguard',
      args: { serviceId: from.db, siteId: site.id, guard },
      summary: 'Let go of the database as it was',
      serverId: serverOf(move, from.db),
      undo: FORWARD,
    });
  }
  if (host) {
    const step = siteRemove(graph, site, oldServer, false);
    add(step.kind === 'site.remove' ? { ...step, args: { ...step.args, mayReturn: true, place: from } } : step);
  }
  if (replicate && passwordSecret !== null) {
    add({
      kind: 'secrets.forget',
      args: { secretIds: [passwordSecret] },
      summary: 'Forget the password that the databases followed each other by',
      serverId: null,
      undo: FORWARD,
    });
  }
  add(moveStep(move, null, moving('moved'), `Record that ${shown} is where it shall be`));

  return {
    verb: 'site.migrate',
    subjectId: site.id,
    subject: site.name,
    summary: summaryOf(move),
    steps,
    warnings: warningsOf(move, options, { live, host, db, replicate, upgrade }),
    pointOfNoReturn,
    locks: [`site/${site.id}`],
  };
}

function canFollow(from: string, to: string): boolean {
  return from === to && (DB_ENGINES[from]?.follows ?? 'never') !== 'never';
}

function versionOf(graph: Graph, { platformId }: Place): string {
  return graph.platform(platformId).facts?.version ?? '';
}

function engineOf(graph: Graph, { db }: Place): string {
  return db === '' ? '' : graph.service(db).engine;
}

function summaryOf(move: Move): string {
  const { graph, site, from, to } = move;
  const parts: string[] = [];
  if (from.http !== to.http) parts.push(`to ${nameOf(move, to.http)}`);
  if (from.platformId !== to.platformId) parts.push(`onto platform ${graph.platform(to.platformId).name}`);
  if (from.db !== to.db && to.db !== '') parts.push(`its database to ${nameOf(move, to.db)}`);
  else if (from.http !== to.http && to.db !== '') parts.push(`its database stays on ${nameOf(move, to.db)}`);
  return `Move ${displayName(site.name)} ${parts.join(', ')}`;
}

/** Both web servers use it while the site moves. */
function sharedDatabase(move: Move): readonly PlanStep[] {
  const { graph, site, from, to } = move;
  const serverId = serverOf(move, from.db);
  const name = nameOf(move, from.db);
  return [
    {
      kind: 'site.restore',
      args: { siteId: site.id, part: { of: 'db', serviceId: from.db, without: '' } },
      summary: `Note who may use the database on ${name}`,
      serverId,
      undo: { summary: 'allow these and no others' },
    },
    {
      kind: 'db.create',
      args: { serviceId: from.db, siteId: site.id, before: 'present', place: from, also: [to.http] },
      summary: `Let ${graph.server(serverOf(move, to.http)).name} use the database on ${name}, too`,
      serverId,
      undo: { none: 'the step that notes it allows those of before' },
    },
  ];
}
