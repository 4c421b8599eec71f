import { describe, expect, test } from 'vitest';
import { ids, platform, server, service, site, snapshot } from '../../test/records.ts';
import { createGraph } from '../graph/graph.ts';
import type { ServiceRecord, ZoneRecord } from '../store/model.ts';
import { type MigrateOptions, planMigrateSite } from './migrate-site.ts';

const web2 = server('srv-0123456789abcdm1', 'web2', '192.0.2.21');
const nginx2 = service('svc-0123456789abcdm1', web2.id, 'http', 'nginx', 80);
const mariadb2 = service('svc-0123456789abcdm2', web2.id, 'db', 'mariadb', 3306);
const bind = service('svc-0123456789abcdm3', web2.id, 'dns', 'bind', 53);
const there = { ...platform, id: 'plat-0123456789abcdm1', name: 'there', serviceId: nginx2.id };
const zone: ZoneRecord = {
  ...{ id: 'zone-0123456789abcde1', name: 'example.org', serviceId: bind.id, state: 'active' },
  ...{ nameservers: ['ns1.example.net'], contact: 'hostmaster@example.org', ttl: 3600, lowTtl: 60 },
  ...{ ttlPolicy: 'normal', leadSeconds: 86_400, negativeTtl: 300, dnssec: false, createdAt: 4 },
};
const named = { ...site, name: 'example.org', aliases: ['www.example.org'] };
const base = {
  ...snapshot,
  servers: [...snapshot.servers, web2],
  services: [...snapshot.services, nginx2, mariadb2, bind],
  platforms: [...snapshot.platforms, there],
  sites: [named],
  zones: [zone],
};
const to = { platformId: there.id, http: nginx2.id, db: mariadb2.id };
const OPTIONS: MigrateOptions = {
  ...{ maxHoldMillis: 60_000, pastHold: 'undo', quietSeconds: 300, rounds: 3, skipLead: false, dnsWait: true },
  ...{ follows: false, passwordSecret: null },
  last: null,
  ...{ fileBytes: 5_000_000, databaseBytes: 40_000_000, knownAt: Date.UTC(2026, 10, 26, 13, 5) },
};
const planned = (options: Partial<MigrateOptions> = {}, patch: object = {}, changed: object = {}) =>
  planMigrateSite(createGraph({ ...base, ...patch }), { ...named, ...changed }, to, { ...OPTIONS, ...options });
const kinds = (plan: ReturnType<typeof planned>) => plan.steps.map(({ kind }) => kind as string);
const ttls = (plan: ReturnType<typeof planned>) =>
  plan.steps.flatMap((step) => (step.kind === 'dns.publish' ? [step.args.records[0]?.ttl] : []));
const waits = (plan: ReturnType<typeof planned>) =>
  plan.steps.flatMap((step) => (step.kind === 'move.wait' ? [step.args.seconds] : []));

describe('a backup is made before anything moves', () => {
  const store = service('svc-0123456789abcdm4', web2.id, 'file', 'mesh', 0);
  const last = {
    id: 'bak-0123456789abcdm1',
    store,
    sizes: { fileBytes: 5_000_000, databaseBytes: null, knownAt: Date.UTC(2026, 10, 26, 13, 5) },
  };
  const plan = planned({ last }, { services: [...base.services, store] });

  test('it undoes with the move, and is said', () => {
    const all = kinds(plan);
    expect(all.slice(0, 4)).toEqual(['backup.record', 'snapshot.take', 'snapshot.take', 'store.hold']);
    expect(all.indexOf('store.release')).toBeLessThan(all.indexOf('site.move'));
    expect(all.indexOf('store.release')).toBeLessThan(all.indexOf('copy.files'));
    expect(plan.warnings.join('\n')).toMatch(/Backup bak-0123456789abcdm1 on web2\/mesh keeps what it is/);
    const stored = plan.steps.findIndex(({ kind }) => kind === 'backup.store');
    const step = plan.steps[stored];
    const taken = step?.kind === 'backup.store' ? [step.args.database?.take, step.args.files.take] : [];
    expect(taken.map((at) => plan.steps[at ?? -1]?.kind)).toEqual(['snapshot.take', 'snapshot.take']);
  });

  test('steps that name others by their place still do', () => {
    const held = plan.steps.findIndex(({ kind }) => kind === 'gate.hold');
    const deadlines = plan.steps.flatMap((step) =>
      (step.kind === 'copy.files' || step.kind === 'copy.database') && step.args.deadline !== null
        ? [step.args.deadline.step]
        : [],
    );
    expect(new Set(deadlines)).toEqual(new Set([held]));
  });

  test('none is kept, and that is said', () => {
    expect(kinds(planned())).not.toContain('backup.store');
    expect(planned().warnings.join('\n')).toMatch(/No backup is made of it before/);
  });
});

test('a database is followed by parts, or by an account among servers, or copied as visitors wait', () => {
  const replica = (plan: ReturnType<typeof planned>) => kinds(plan).filter((kind) => kind.startsWith('replica.'));
  const byParts = planned({ follows: true });
  expect(replica(byParts)).toEqual(['replica.open', 'replica.follow', 'replica.follow', 'replica.finish']);
  // What came in the time that it waited is brought right before visitors wait.
  const last = kinds(byParts).lastIndexOf('replica.follow');
  expect(last).toBeGreaterThan(kinds(byParts).indexOf('move.wait'));
  expect(last).toBeLessThan(kinds(byParts).indexOf('gate.hold'));
  expect(kinds(byParts)).not.toContain('secrets.keep');
  const byServers = planned({ follows: true, passwordSecret: 'sec-0123456789abcdm1' });
  expect(replica(byServers)).toEqual(['replica.open', 'replica.follow', 'replica.finish', 'replica.close']);
  expect(kinds(byServers)).toContain('secrets.keep');
  expect(replica(planned())).toEqual([]);
});

describe('DNS is staged', () => {
  test('lowered a day ahead, switched low, raised at the end', () => {
    const plan = planned();
    expect(ttls(plan)).toEqual([60, 60, 3600]);
    expect(waits(plan)).toEqual([86_400, 60]);
    const all = kinds(plan);
    expect(all.indexOf('dns.publish')).toBeLessThan(all.indexOf('copy.files'));
    expect(all.indexOf('move.wait')).toBeLessThan(all.indexOf('gate.hold'));
    expect(all.indexOf('dns.await')).toBeGreaterThan(all.indexOf('gate.forward'));
    expect(all.indexOf('move.quiet')).toBeLessThan(all.indexOf('http.unpublish'));
    expect(all.lastIndexOf('dns.publish')).toBeLessThan(all.indexOf('site.remove'));
  });

  test('without a lead the old server hands on for as long as answers of before live', () => {
    const plan = planned({ skipLead: true });
    expect(waits(plan)).toEqual([3600]);
    expect(ttls(plan)).toEqual([60, 3600]);
  });

  test('a zone whose TTL is always low needs neither', () => {
    const plan = planned({}, { zones: [{ ...zone, ttlPolicy: 'low' }] });
    expect(waits(plan)).toEqual([60]);
    expect(ttls(plan)).toEqual([60]);
  });
});

test('until the new server has answered everything undoes, and from then on nothing', () => {
  const plan = planned();
  const back = plan.pointOfNoReturn ?? 0;
  expect(plan.steps[back]?.kind).toBe('site.place');
  expect(plan.steps[back - 1]?.kind).toBe('site.probe');
  // What a step before it changed, its undo brings back.
  const changing = ['http.publish', 'db.create', 'db.freeze', 'site.prepare', 'gate.hold', 'dns.publish', 'site.move'];
  const steps = plan.steps.slice(0, back);
  const closed = steps.find(({ kind, args }) => kind === 'http.publish' && 'closed' in args);
  for (const { kind, undo } of steps.filter((step) => step !== closed)) {
    if (changing.includes(kind)) expect([kind, 'summary' in undo]).toEqual([kind, true]);
  }
  // What is there for nobody yet goes with what was prepared, once visitors have the old place: nobody waits for it.
  expect(closed?.undo).toEqual({ none: 'it goes with what was prepared there' });
  const removing = ['http.unpublish', 'db.drop', 'site.remove'];
  for (const kind of removing) expect(kinds(plan).indexOf(kind)).toBeGreaterThan(back);
});

test('while visitors wait, every step ends with their hold, and no other one', () => {
  const newer = { ...platform, id: 'plat-0123456789abcdm2', name: 'newer', root: '/srv/newer' };
  const graph = createGraph({ ...base, platforms: [...base.platforms, newer] });
  const inPlace = { platformId: newer.id, http: platform.serviceId, db: named.bindings.db ?? '' };
  for (const plan of [planned(), planned({ follows: true }), planMigrateSite(graph, named, inPlace, OPTIONS)]) {
    const hold = kinds(plan).indexOf('gate.hold');
    for (const [index, { kind, within }] of plan.steps.entries()) {
      const waited = index > hold && index < (plan.pointOfNoReturn ?? 0);
      expect([kind, within]).toEqual([kind, waited ? { step: hold, millis: 45_000 } : undefined]);
    }
  }
  expect(planned({}, {}, { state: 'disabled' }).steps.filter(({ within }) => within !== undefined)).toEqual([]);
});

test('newer code where a site is gets no visitor before it has answered, and what undoes it lets them in last', () => {
  const newer = { ...platform, id: 'plat-0123456789abcdm2', name: 'newer', root: '/srv/newer' };
  const graph = createGraph({ ...base, platforms: [...base.platforms, newer] });
  const from = { platformId: platform.id, http: platform.serviceId, db: named.bindings.db ?? '' };
  const plan = planMigrateSite(graph, named, { ...from, platformId: newer.id }, OPTIONS);
  const order = plan.steps.map((step) => {
    if (step.kind !== 'http.publish') return step.kind;
    const { state, closed, holds, cron } = step.args;
    return `${state}${closed === true ? ' closed' : ''}${holds === true ? ' holds' : ''}${cron === true ? ' cron' : ''}`;
  });
  const inOrder = ['held cron', 'site.restore', 'site.prepare', 'enabled closed holds', 'site.probe', 'site.place'];
  const served = [...inOrder, 'gate.forward', 'enabled cron', 'gate.close'];
  expect(order.filter((each) => served.includes(each)).slice(0, served.length)).toEqual(served);
});

test('never are both writable: the old is held and its database frozen before the last copies, the new serves after them', () => {
  const plan = planned();
  const order = plan.steps.map((step) =>
    step.kind === 'http.publish'
      ? `${step.args.serviceId === nginx2.id ? 'new' : 'old'} ${step.args.state}`
      : step.kind,
  );
  const at = (what: string) => order.indexOf(what);
  const lastCopy = Math.max(order.lastIndexOf('copy.files'), order.lastIndexOf('copy.database'));
  expect(at('gate.hold')).toBeLessThan(at('old held'));
  expect(at('old held')).toBeLessThan(at('db.freeze'));
  expect(at('db.freeze')).toBeLessThan(order.lastIndexOf('copy.database'));
  expect(lastCopy).toBeLessThan(at('new enabled'));
  expect(order.slice(0, at('old held')).filter((what) => what === 'new enabled')).toEqual([]);
});

test('what a person should know is said before it begins', () => {
  const words = planned().warnings.join('\n');
  expect(words).toMatch(
    /Files about 4\.8 MiB, database about 38\.1 MiB, as of 2026-11-26 13:05 UTC; that, about 42\.9 MiB, and what came since goes over/,
  );
  expect(words).toMatch(/Visitors wait for about 4 s/);
  expect(words).toMatch(/waits 1 day first/);
  expect(words).toMatch(
    /until nobody has come to web1 for 5 minutes \(--quiet\), 7 days at most: nothing else can be done/,
  );
});

test('who does not wait for DNS is told what that means; who does, that it may take any time', () => {
  const told = service('svc-0123456789abcdm6', web2.id, 'dns', 'null', 0);
  const byHand = (dnsWait: boolean) =>
    planned(
      { dnsWait },
      { zones: [], services: [...base.services, told] },
      { bindings: { ...named.bindings, dns: ids.dns } },
    );
  const waits = byHand(true);
  expect(kinds(waits)).toContain('dns.await');
  expect(waits.warnings.join('\n')).toMatch(
    /You set the DNS records of example\.org.* yourself, and it waits until look-ups show that/,
  );
  const goes = byHand(false);
  expect(kinds(goes)).not.toContain('dns.await');
  // Visitors are handed on all the same, as long as old answers may live and some come.
  expect(kinds(goes).filter((kind) => kind === 'move.wait' || kind === 'move.quiet')).toEqual(
    kinds(waits).filter((kind) => kind === 'move.wait' || kind === 'move.quiet'),
  );
  expect(goes.warnings.join('\n')).toMatch(
    /does not wait until DNS leads there.*whoever still comes to it finds nothing/,
  );
});

test('what nobody has measured yet is not told as nothing', () => {
  const unknown = planned({ fileBytes: null, databaseBytes: null, knownAt: null }).warnings.join('\n');
  expect(unknown).toMatch(
    /^Files not measured yet, database not measured yet; how much goes over the mesh is not known/,
  );
  expect(unknown).toMatch(/Visitors wait for about 2 s, and what a copy of its database takes, 60 s at most/);
  expect(unknown).not.toMatch(/\b0 B\b/);
  const half = planned({ databaseBytes: null }).warnings.join('\n');
  expect(half).toMatch(/Files about 4\.8 MiB, database not measured yet, as of 2026-11-26 13:05 UTC; how much/);
});

test('where its database is from then on is said, and what to do when that is where it leaves', () => {
  expect(planned().summary).toMatch(
    /^Move example\.org to web2\/nginx, onto platform there, its database to web2\/mariadb$/,
  );
  const beside = service('svc-0123456789abcdm5', ids.web1, 'db', 'mariadb', 3306);
  const services = [...base.services, beside];
  const stays = (db: string) =>
    planMigrateSite(
      createGraph({ ...base, services }),
      { ...named, bindings: { ...named.bindings, db } },
      { ...to, db },
      OPTIONS,
    );
  const apart = stays(named.bindings.db ?? '');
  expect(apart.summary).toMatch(/, its database stays on db1\/mariadb$/);
  expect(apart.warnings.join('\n')).not.toMatch(/Its database stays/);
  const left = stays(beside.id);
  expect(left.summary).toMatch(/, its database stays on web1\/mariadb$/);
  expect(left.warnings.join('\n')).toMatch(
    /Its database stays on web1, which it leaves: web2 reaches it over the network; --db SERVER\/mariadb moves it, too\./,
  );
});

test('who tells a person what to set in DNS is on the server that the site is on', () => {
  const told = service('svc-0123456789abcdm6', web2.id, 'dns', 'null', 0);
  const placed = (services: readonly ServiceRecord[], dns: string = ids.dns) => {
    const plan = planned({}, { zones: [], services }, { bindings: { ...named.bindings, dns } });
    return plan.steps.flatMap((step) => (step.kind === 'site.place' ? [[step.args.dns, step.summary]] : []));
  };
  expect(placed([...base.services, told])).toEqual([
    [{ to: told.id, before: ids.dns }, 'Record example.org on there, web2/nginx, web2/mariadb, web2/null'],
  ]);
  const stays = [[undefined, 'Record example.org on there, web2/nginx, web2/mariadb']];
  expect(placed(base.services)).toEqual(stays);
  expect(placed([...base.services, { ...told, state: 'disabled' }])).toEqual(stays);
  // One that somebody chose elsewhere is left.
  const elsewhere = service('svc-0123456789abcdm7', ids.db1, 'dns', 'null', 0);
  expect(placed([...base.services, told, elsewhere], elsewhere.id)).toEqual(stays);
});

test('a disabled site moves without a gate', () => {
  const plan = planned({}, {}, { state: 'disabled' });
  expect(kinds(plan).filter((kind) => kind.startsWith('gate.') || kind === 'site.probe')).toEqual([]);
  expect(kinds(plan)).toContain('db.freeze');
});

test('of a hold some is left for going back; where it ends in maintenance, the last copies may take their time', () => {
  const deadlines = (plan: ReturnType<typeof planned>) =>
    plan.steps.flatMap((step) => (step.kind === 'copy.files' && step.args.deadline ? [step.args.deadline.millis] : []));
  expect(deadlines(planned())).toEqual([45_000]);
  expect(deadlines(planned({ maxHoldMillis: 10_000 }))).toEqual([7_500]);
  expect(deadlines(planned({ maxHoldMillis: 600_000 }))).toEqual([585_000]);
  expect(deadlines(planned({ pastHold: 'maintenance' }))).toEqual([86_400_000]);
});
