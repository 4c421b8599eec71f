// Reports of sites: kept once whatever is repeated, of the server's own sites alone, bounded and formed.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { CronReport, DetectedService, type SiteReports, UsageReport } from '../../shared/gen/aegir/v1/agent.ts';
import { platform, service, site } from '../store/conformance/samples.ts';
import { createPruning, storeReports } from './store-reports.ts';
import { dial, type HandAgent, inventory } from './testing/hand-agent.ts';
import { createRig, DAY_MS, type Identity, type Rig } from './testing/rig.ts';

const MINE = 'site-0000000000000001';
const FOREIGN = 'site-0000000000000002';
let rig: Rig;
let web: Identity;
beforeAll(async () => {
  rig = await createRig();
  web = await rig.server();
  const other = await rig.server();
  for (const [server, n] of [
    [web.serverId, 1],
    [other.serverId, 2],
  ] as const) {
    await rig.store.services.insert(service(`svc-${n}`, server));
    await rig.store.platforms.insert(platform(`plat-${n}`, `svc-${n}`));
    const id = n === 1 ? MINE : FOREIGN;
    await rig.store.sites.insert(site(id, `plat-${n}`, { state: 'enabled', bindings: { http: `svc-${n}` } }));
  }
});
afterAll(() => rig?.close());
beforeEach(() => rig.store.usage.prune('9999'));

const today = () => new Date(rig.now()).toISOString().slice(0, 10);
const dayBefore = (days: number) => new Date(rig.now() - days * DAY_MS).toISOString().slice(0, 10);
const usage = (part: Partial<UsageReport> = {}) =>
  UsageReport.fromPartial({
    ...{ siteId: MINE, day: today(), requests: 3n, bytesSent: 500n, statuses: [0n, 2n, 0n, 1n, 0n] },
    ...part,
  });
const cron = (part: Partial<CronReport> = {}) =>
  CronReport.fromPartial({
    ...{ siteId: MINE, intervalSeconds: 3600, nextAt: new Date(5000), lastStartedAt: new Date(1000), lastMillis: 20n },
    ...{ lastOutcome: 'ok', lastText: 'ran', failures: 0, ...part },
  });
const store = (part: Partial<SiteReports>, serverId = web.serverId) =>
  storeReports(rig, serverId, { batch: 1n, cron: [], usage: [], ...part });
const used = async (id = MINE) => (await rig.store.usage.byDay(id, '')).map(({ day, requests }) => [day, requests]);

describe('reports', () => {
  test('of an accepted server are taken, and answered when they are durable', async () => {
    const agent: HandAgent = dial(rig, web);
    await agent.hello();
    agent.say({ $case: 'siteReports', value: { batch: 7n, cron: [cron()], usage: [usage()] } });
    expect(await agent.hear('reportsTaken')).toEqual({ batch: 7n });
    expect(await used()).toEqual([[today(), 3]]);
    expect(await rig.store.crons.find({ siteId: MINE })).toMatchObject([
      { serverId: web.serverId, intervalSeconds: 3600, nextAt: 5000, lastStartedAt: 1000, lastOutcome: 'ok' },
    ]);
    // Said again, as after a lost answer.
    agent.say({ $case: 'siteReports', value: { batch: 8n, cron: [cron()], usage: [usage()] } });
    await agent.hear('reportsTaken');
    expect(await used()).toEqual([[today(), 3]]);
    agent.close();
  });

  test('of a pending server are not', async () => {
    const pending = await rig.server('pending');
    const agent = dial(rig, pending);
    await agent.hello();
    agent.say({ $case: 'siteReports', value: { batch: 1n, cron: [], usage: [usage()] } });
    // Messages are handled in their order: when this one was, that one had been.
    const git = DetectedService.fromPartial({ engine: 'git', running: true });
    agent.say({ $case: 'inventory', value: inventory([git]) });
    const found = () => rig.store.services.find({ serverId: pending.serverId });
    await vi.waitFor(async () => expect(await found()).toHaveLength(1));
    expect([agent.unheard('reportsTaken'), await used()]).toEqual([0, []]);
    agent.close();
  });

  test('of sites elsewhere, or of none, are left out', async () => {
    await store({
      cron: [cron({ siteId: FOREIGN }), cron({ siteId: 'site-9999999999999999' }), cron({ siteId: '../x' })],
      usage: [usage({ siteId: FOREIGN }), usage({ siteId: 'site-9999999999999999' }), usage()],
    });
    expect(await used()).toEqual([[today(), 3]]);
    expect(await used(FOREIGN)).toEqual([]);
    expect(await rig.store.crons.find({ siteId: FOREIGN })).toEqual([]);
  });

  test('of days that cannot be, or are too long ago, are left out; of one day twice the last counts', async () => {
    const days = [dayBefore(400), dayBefore(-2), 'yesterday', `${today()}x`, '', '2026-1-1'];
    await store({ usage: [...days.map((day) => usage({ day })), usage({ requests: 1n }), usage({ requests: 4n })] });
    await store({ usage: [usage({ day: dayBefore(399) })] });
    expect(await used()).toEqual([
      [today(), 4],
      [dayBefore(399), 3],
    ]);
  });

  test('are bounded in number, size and form', async () => {
    await expect(store({ usage: Array.from({ length: 201 }, () => usage()) })).rejects.toThrow(/more than 200/);
    await expect(store({ cron: Array.from({ length: 201 }, () => cron()) })).rejects.toThrow(/more than 200/);
    const most = 18_446_744_073_709_551_615n;
    const statuses = Array.from({ length: 1000 }, () => most);
    await store({
      usage: [usage({ requests: most, bytesSent: most, statuses, fileBytes: most })],
      cron: [
        cron({
          ...{
            intervalSeconds: 4_294_967_295,
            lastMillis: most,
            failures: 4_294_967_295,
            nextAt: new Date(Number.NaN),
          },
          ...{ lastOutcome: 'rm -rf', lastText: `\u001b[31m\ud800${'x'.repeat(100_000)}` },
        }),
      ],
    });
    const [row] = await rig.store.usage.byDay(MINE, '');
    expect([Number.isSafeInteger(row?.bytes), row?.statuses.length]).toEqual([true, 5]);
    const [kept] = await rig.store.crons.find({ siteId: MINE });
    expect(kept).toMatchObject({ intervalSeconds: 604_800, nextAt: null, lastOutcome: 'failed' });
    expect([kept?.lastText.length, kept?.lastText.slice(0, 5)]).toEqual([2000, ' [31m']);
  });

  test('older than 400 days are forgotten, once a day', async () => {
    const prune = createPruning(rig);
    await store({ usage: [usage({ day: dayBefore(399) }), usage()] });
    await prune();
    expect(await used()).toHaveLength(2);
    rig.clock = 2 * DAY_MS;
    try {
      await prune();
      expect(await used()).toHaveLength(1);
    } finally {
      rig.clock = 0;
    }
  });
});
