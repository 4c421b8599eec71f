// Which certificates are due, and that a failing authority is not asked again and again.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { site } from '../../test/records.ts';
import type { SiteCertificate, SiteRecord } from '../store/model.ts';
import { isDue, type Renewals, startRenewals } from './renewals.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 23);
const certificate: SiteCertificate = {
  ...{ source: 'acme', names: [site.name, ...site.aliases], issuer: 'CA', chainPem: '', keySecret: 'sec-1' },
  ...{ notBefore: NOW - 10 * DAY, notAfter: NOW + 80 * DAY },
};
const secured = (patch: Partial<SiteRecord> = {}): SiteRecord => ({
  ...site,
  web: { ...site.web, https: 'acme' },
  certificate,
  ...patch,
});

describe('due', () => {
  test.each<readonly [string, SiteRecord, boolean]>([
    ['one that is fresh', secured(), false],
    ['none', secured({ certificate: null }), true],
    ['one that stands in', secured({ certificate: { ...certificate, source: 'self-signed' } }), true],
    ['one that lacks a name', secured({ aliases: [...site.aliases, 'new.example.org'] }), true],
    [
      'one before two thirds',
      secured({ certificate: { ...certificate, notBefore: NOW - 59 * DAY, notAfter: NOW + 31 * DAY } }),
      false,
    ],
    [
      'one after two thirds',
      secured({ certificate: { ...certificate, notBefore: NOW - 61 * DAY, notAfter: NOW + 29 * DAY } }),
      true,
    ],
    ['of a disabled site', secured({ certificate: null, state: 'disabled' }), false],
    ['one proved by DNS', secured({ web: { ...secured().web, https: 'acme-dns' } }), false],
    [
      'none that would be proved by DNS',
      secured({ certificate: null, web: { ...secured().web, https: 'acme-dns' } }),
      true,
    ],
    ["one of the owner's own", secured({ certificate: null, web: { ...secured().web, https: 'own' } }), false],
    ['without HTTPS', secured({ certificate: null, web: { ...secured().web, https: 'off' } }), false],
  ])('%s', (_, record, due) => {
    expect(isDue(record, NOW)).toBe(due);
  });
});

describe('a look', () => {
  let master: MasterApi;
  let renewals: Renewals;
  let clock = 0;
  beforeAll(async () => {
    master = await openMasterApi();
    renewals = startRenewals({ ...master.deps, now: () => Date.now() + clock }, { error() {} });
    await master.store.sites.update(site.id, { web: secured().web });
  });
  afterAll(async () => {
    await renewals.close();
    await master.close();
  });

  const end = async (state: 'failed' | 'succeeded') => {
    const [task] = await master.store.tasks.list({ subjectId: site.id, limit: 1 });
    const [claimed] = await master.store.tasks.claim('test', Date.now() + clock, 1000, 10);
    expect(claimed?.id).toBe(task?.id);
    const finishedAt = Date.now() + clock;
    await master.store.tasks.update(task?.id ?? '', claimed?.leaseEpoch ?? 0, { state, finishedAt });
  };

  test('makes one task for a site that is due, and no second one beside it', async () => {
    expect(await renewals.look()).toEqual([site.name]);
    expect(await master.store.tasks.list({ subjectId: site.id, limit: 5 })).toMatchObject([
      { verb: 'site.certify', actor: 'renewal', state: 'queued' },
    ]);
    expect(await renewals.look()).toEqual([]);
  });

  test('goes on with other sites when one cannot be asked for', async () => {
    const web = { ...secured().web, https: 'acme-dns' as const };
    const other = { ...site, id: 'site-0123456789abcdd0', name: 'other.example.net', aliases: [], web };
    await master.store.sites.insert({ ...other, saltSecret: 'sec-0123456789abcdd0', dbPasswordSecret: null });
    const faults: string[] = [];
    const looking = startRenewals(master.deps, { error: (_, text) => faults.push(text) });
    expect(await looking.look()).toEqual([]);
    expect(faults).toEqual(['cannot renew the certificate of other.example.net']);
    await looking.close();
    await master.store.sites.delete(other.id);
  });

  test('waits an hour after a failure, longer after the next, and not after a success', async () => {
    await end('failed');
    for (const hours of [1, 2, 4, 8, 16, 24, 24]) {
      clock += hours * 3_600_000 - 60_000;
      expect(await renewals.look(), `before ${hours} h`).toEqual([]);
      clock += 61_000;
      expect(await renewals.look(), `after ${hours} h`).toEqual([site.name]);
      await end('failed');
    }
    clock += 25 * 3_600_000;
    expect(await renewals.look()).toEqual([site.name]);
    await end('succeeded');
    // It is still due here, since nobody made one.
    expect(await renewals.look()).toEqual([site.name]);
  });
});
