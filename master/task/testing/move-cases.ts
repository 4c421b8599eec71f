// Moves of sites, as cases.ts has the other verbs: to another server with its database, without it, and in place onto a
// newer platform. One of them makes a backup first.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { type MigrateOptions, planMigrateSite } from '../../plan/migrate-site.ts';
import { siteAt } from '../../plan/move-steps.ts';
import type { Place, Plan } from '../../plan/plan.ts';
import type { PlatformRecord, ServerRecord, ServiceRecord, SiteRecord } from '../../store/model.ts';
import { beingMade, FRESH, made, NO_SIZES, storeOf } from './backup-cases.ts';
import type { Ground } from './cases.ts';

export interface MoveCase {
  readonly name: string;
  readonly plan: Plan;
  readonly ground: Ground;
  readonly world: readonly string[];
  readonly doneWorld: readonly string[];
  readonly done: Ground;
  readonly undone: Ground;
}

const SECRET = 'sec-0123456789abcdm1';
const OPTIONS: MigrateOptions = {
  ...{ maxHoldMillis: 60_000, pastHold: 'undo', quietSeconds: 0, rounds: 2, skipLead: false, dnsWait: true },
  ...{ follows: false, passwordSecret: null },
  last: null,
  ...{ fileBytes: 1_000_000, databaseBytes: null, knownAt: Date.UTC(2026, 10, 26, 13, 5) },
};

export function moveCases(snapshot: GraphSnapshot): readonly MoveCase[] {
  const [web1, db1] = snapshot.servers as [ServerRecord, ServerRecord];
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const [platform] = snapshot.platforms as [PlatformRecord];
  const [first] = snapshot.sites as [SiteRecord];
  // Its names are in no DNS of ours: nothing to wait for.
  const site: SiteRecord = { ...first, bindings: { http: nginx.id, db: mariadb.id } };
  const at = (server: ServerRecord, n: number, address: string): ServerRecord => ({
    ...{ ...server, id: `srv-0123456789abcdm${n}`, name: `${server.name}-new` },
    facts: { ...server.facts, addresses: [address], sourceAddresses: [address] },
  });
  const [web2, db2] = [at(web1, 1, '192.0.2.21'), at(db1, 2, '192.0.2.22')];
  const nginx2: ServiceRecord = { ...nginx, id: 'svc-0123456789abcdm1', serverId: web2.id };
  const mariadb2: ServiceRecord = { ...mariadb, id: 'svc-0123456789abcdm2', serverId: db2.id };
  const there: PlatformRecord = {
    ...{ ...platform, id: 'plat-0123456789abcdm1', name: 'there', serviceId: nginx2.id },
  };
  const newer: PlatformRecord = {
    ...{ ...platform, id: 'plat-0123456789abcdm2', name: 'newer', root: '/srv/newer' },
    facts: { app: 'wordpress', version: '99.0', docroot: '/srv/newer', phpMinimum: '', profiles: [], languages: [] },
  };
  const base: GraphSnapshot = {
    ...snapshot,
    servers: [...snapshot.servers, web2, db2],
    services: [...snapshot.services, nginx2, mariadb2],
    platforms: [...snapshot.platforms, there, newer],
    sites: [site],
  };
  const graph = createGraph(base);
  const store = storeOf(snapshot);
  const keeping: GraphSnapshot = { ...base, services: [...base.services, store] };
  const making = { ...beingMade(snapshot), reason: 'migrate' as const };
  const where = `site/${site.id}`;
  const world = (web: ServerRecord, db: ServerRecord, word = 'new') =>
    [
      ...[`${db.id} db ${where}`, `${db.id} database of ${where} ${word}`, `${web.id} files ${where}`],
      ...[`${web.id} files of ${where} new`, `${web.id} http ${where} enabled, cron 900`],
    ].sort();
  const of = (
    name: string,
    to: Place,
    doneWorld: readonly string[],
    options: MigrateOptions,
    secrets: readonly string[] = [],
  ): MoveCase => ({
    ...{ name, plan: planMigrateSite(graph, site, to, options), world: world(web1, db1), doneWorld },
    ...{ ground: { ...base, secrets }, done: { ...base, sites: [siteAt(site, to)] }, undone: base },
  });
  /** Steps name those of the backup, and are named, by their place. */
  const afterBackup = ({ name, doneWorld }: MoveCase, to: Place): MoveCase => ({
    ...{ name: `${name}, after a backup`, world: world(web1, db1), doneWorld },
    plan: planMigrateSite(createGraph(keeping), site, to, { ...OPTIONS, last: { id: FRESH, store, sizes: NO_SIZES } }),
    ground: { ...keeping, backups: [making] },
    ...{ done: { ...keeping, sites: [siteAt(site, to)], backups: [made(making)] }, undone: keeping },
  });
  const without = { platformId: there.id, http: nginx2.id, db: mariadb.id };
  return [
    of(
      'migrate with its database, followed by servers',
      { platformId: there.id, http: nginx2.id, db: mariadb2.id },
      world(web2, db2),
      { ...OPTIONS, follows: true, passwordSecret: SECRET },
      [SECRET],
    ),
    of(
      'migrate with its database, followed by parts',
      { platformId: there.id, http: nginx2.id, db: mariadb2.id },
      world(web2, db2),
      { ...OPTIONS, follows: true },
    ),
    afterBackup(of('migrate without its database', without, world(web2, db1), OPTIONS), without),
    of(
      'migrate in place',
      { platformId: newer.id, http: nginx.id, db: mariadb.id },
      world(web1, db1, 'upgraded'),
      OPTIONS,
    ),
  ];
}
