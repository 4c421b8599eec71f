// What agents report of sites: absolute values by site, server and day, that go with the site.
import { beforeEach, expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import * as sample from './samples.ts';

const none = { fileBytes: null, inodes: null, logBytes: null, databaseBytes: null, filesAt: null, databaseAt: null };

export function reportCases(subject: () => Subject): void {
  beforeEach(async () => {
    const { store } = subject();
    await sample.saveGround(store);
    for (const id of ['site-1', 'site-2']) await store.sites.insert(sample.site(id, 'plat-1'));
  });

  it('keeps how cron stands, by site and server', async () => {
    const { store, reopen } = subject();
    const told = sample.cron('site-1', { lastText: sample.ODD, lastMillis: sample.BIG });
    await store.crons.insert(told);
    await store.crons.update(told.id, { nextAt: null, lastStartedAt: 0, failures: 3, lastText: 'half a \ud83d' });
    const now = { ...told, nextAt: null, lastStartedAt: 0, failures: 3, lastText: 'half a \ufffd' };
    expect(await (await reopen()).crons.find({ siteId: 'site-1' })).toEqual([now]);
  });

  it('counts of a day grow, and what is told twice changes nothing', async () => {
    const { store, reopen } = subject();
    const first = sample.usage('site-1', '2026-11-23', {
      requests: 2,
      bytes: 2 ** 45,
      s2: 1,
      s5: 1,
      fileBytes: 7,
      measuredAt: 40,
    });
    await store.usage.save([first]);
    await store.usage.save([first, sample.usage('site-1', '2026-11-22', { requests: 1, s1: 1 })]);
    const more = { ...first, requests: 3, s3: 1, fileBytes: null, inodes: 9, measuredAt: null };
    await store.usage.save([more]);
    // As of an agent that lost its memory: fewer requests, but sizes that are news.
    await store.usage.save([{ ...first, requests: 1, bytes: 1, s2: 1, s5: 0, fileBytes: 6, measuredAt: 50 }]);
    expect(await (await reopen()).usage.byDay('site-1', '2026-11-01')).toEqual([
      {
        ...{ day: '2026-11-23', requests: 3, bytes: 2 ** 45, statuses: [0, 1, 1, 0, 1] },
        ...{ fileBytes: 6, inodes: 9, logBytes: null, databaseBytes: null, filesAt: 50, databaseAt: null },
      },
      { day: '2026-11-22', requests: 1, bytes: 0, statuses: [1, 0, 0, 0, 0], ...none },
    ]);
  });

  it('adds requests of several servers up, but not sizes', async () => {
    const { store } = subject();
    const at = (serverId: string, day: string, part: object) => ({ ...sample.usage('site-1', day), serverId, ...part });
    await store.usage.save([
      at('srv-1', '2026-11-23', { requests: 2, bytes: 10, s2: 2, fileBytes: 100, measuredAt: 7 }),
      at('srv-2', '2026-11-23', { requests: 3, bytes: 20, s4: 3, fileBytes: 90 }),
      at('srv-3', '2026-11-22', { databaseBytes: 5, fileBytes: 1000, measuredAt: sample.BIG }),
    ]);
    const sum = { requests: 5, bytes: 30, statuses: [0, 2, 0, 3, 0], inodes: null, logBytes: null };
    expect((await store.usage.byDay('site-1', '2026-11-23'))[0]).toEqual({
      ...{ ...sum, day: '2026-11-23', fileBytes: 100, databaseBytes: null, filesAt: 7, databaseAt: null },
    });
    expect((await store.usage.byDay('site-1', ''))[1]).toMatchObject({ filesAt: sample.BIG, databaseAt: sample.BIG });
    await store.usage.save([sample.usage('site-2', '2026-11-20', { requests: 1 })]);
    expect(await store.usage.bySite('2026-11-22')).toEqual([
      { ...sum, siteId: 'site-1', fileBytes: 100, databaseBytes: 5 },
    ]);
    expect((await store.usage.bySite('2026-11-01')).map(({ siteId }) => siteId)).toEqual(['site-1', 'site-2']);
  });

  it('forgets old days, and all of a site that is forgotten', async () => {
    const { store } = subject();
    const days = Array.from({ length: 500 }, (_, at) => new Date(Date.UTC(2025, 0, 1 + at)).toISOString().slice(0, 10));
    await store.usage.save(days.flatMap((day) => [sample.usage('site-1', day), sample.usage('site-2', day)]));
    await store.usage.prune(days[100] ?? '');
    expect((await store.usage.byDay('site-1', '')).map(({ day }) => day)).toEqual(days.slice(100).reverse());
    await store.crons.insert(sample.cron('site-1'));
    await store.sites.delete('site-1');
    expect(await store.usage.byDay('site-1', '')).toEqual([]);
    expect(await store.crons.find()).toEqual([]);
    expect(await store.usage.byDay('site-2', '')).toHaveLength(400);
  });
}
