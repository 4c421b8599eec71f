// Every kind of record comes back as it was saved, also after closing and opening again.
import { expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import { HIGHEST_UID } from '../site-table.ts';
import type { Store, Table } from '../store.ts';
import * as sample from './samples.ts';

interface Round<R extends { readonly id: string }> {
  readonly table: (store: Store) => Table<R>;
  readonly record: R;
  readonly patch: Partial<Omit<R, 'id'>>;
}

const round = <R extends { readonly id: string }>(
  table: Round<R>['table'],
  record: R,
  patch: Round<R>['patch'],
): Round<{ readonly id: string }> => ({ table, record, patch }) as unknown as Round<{ readonly id: string }>;

const facts = {
  app: 'drupal',
  version: '11',
  docroot: '/srv/web',
  phpMinimum: '',
  profiles: [sample.ODD],
  languages: ['en_US'],
};

const rounds: Record<string, Round<{ readonly id: string }>> = {
  servers: round((store) => store.servers, sample.server('srv-9'), {
    lastSeenAt: 0,
    autoEnable: ['http'],
    facts: { ...sample.server('srv-9').facts, memoryBytes: 0n, disks: [] },
  }),
  certificates: round((store) => store.certificates, sample.certificate, { revokedAt: 5 }),
  services: round((store) => store.services, sample.service('svc-9', 'srv-1', { type: '', engine: 'git' }), {
    state: 'missing',
    detected: { ...sample.service('svc-9', 'srv-1').detected, ports: [], version: '' },
    origin: 'declared',
    settings: { server: sample.ODD },
    secrets: { key: 'sec-1' },
  }),
  platforms: round((store) => store.platforms, sample.platform('plat-9', 'svc-1'), { facts, app: 'drupal' }),
  sites: round((store) => store.sites, sample.site('site-9', 'plat-1', { aliases: ['b.example', 'a.example'] }), {
    bindings: { http: 'svc-1', db: 'svc-2', dns: 'svc-3', file: 'svc-4' },
    aliases: ['xn--fiqs8s.example'],
    dbPasswordSecret: '',
    web: {
      ...{ https: 'acme', redirect: true, hstsSeconds: 1, redirectTo: sample.ODD },
      php: { version: '8.2', children: 1, memoryBytes: sample.BIG, bodyBytes: 2, seconds: 3 },
    },
    certificate: {
      ...{ source: 'acme', names: ['a.example'], notBefore: 1, notAfter: 2, issuer: sample.ODD },
      ...{ chainPem: 'x\n', keySecret: 'sec-1' },
    },
    issuing: { orderUrl: '', keySecret: '', names: [], challenges: [] },
    cronSeconds: 0,
    uid: 480_000,
  }),
  clients: round((store) => store.clients, sample.client, { mail: sample.ODD }),
  tokens: round((store) => store.tokens, sample.token('tok-9'), { usesLeft: 0, autoAccept: false, expiresAt: 7 }),
  zones: round((store) => store.zones, sample.zone('zone-9', 'svc-1'), {
    ...{ state: 'active', nameservers: [], dnssec: false, ttlPolicy: 'low', contact: sample.ODD },
  }),
  records: round((store) => store.records, sample.dnsRecord('rec-9', 'zone-1'), { ttl: 0, data: '' }),
  heads: round((store) => store.heads, sample.head('head-9', 'svc-1'), { state: 'out', weight: 100 }),
  backups: round((store) => store.backups, sample.backup('bak-9'), {
    ...{
      state: 'ready',
      parts: [{ part: 'files', digest: 'ab', firstChunk: 0, chunks: 1, bytes: sample.BIG, entries: 0 }],
    },
    ...{ keep: false, problem: 'half a \ufffd', verifiedAt: 0, triedAt: null, provenAt: sample.BIG },
  }),
  policies: round((store) => store.backupPolicies, sample.policy, {
    serviceId: 'svc-1',
    keepLast: 0,
    drillServerId: 'srv-1',
  }),
  batches: round((store) => store.batches, sample.batch, { state: 'done', failures: sample.BIG, sites: [] }),
  holds: round((store) => store.storeHolds, sample.hold, { mode: 'exclusive' }),
  secrets: round((store) => store.secrets, sample.secret, { sealed: '' }),
  settings: round((store) => store.settings, sample.setting, { value: sample.ODD }),
};

export function graphCases(subject: () => Subject): void {
  it.each(Object.keys(rounds))('%s come back as they were saved', async (name) => {
    const { store, reopen } = subject();
    const { table, record, patch } = rounds[name] as Round<{ readonly id: string }>;
    await sample.saveGround(store);
    expect(await table(store).get(record.id)).toBeUndefined();
    await table(store).insert(record);
    expect(await table(store).get(record.id)).toStrictEqual(record);
    await table(store).update(record.id, {});
    expect(await table(store).get(record.id)).toStrictEqual(record);
    await table(store).update(record.id, patch);

    const again = await reopen();
    const patched = { ...record, ...patch };
    expect(await table(again).get(record.id)).toStrictEqual(patched);
    expect(await table(again).find()).toContainEqual(patched);
    expect(await table(again).delete(record.id)).toBe(true);
    expect(await table(again).delete(record.id)).toBe(false);
    expect(await table(again).get(record.id)).toBeUndefined();
    await expect(table(again).update(record.id, patch)).rejects.toMatchObject({ code: 'not_found' });
    await expect(table(again).update(record.id, {})).rejects.toMatchObject({ code: 'not_found' });
  });

  it('finds by scalar fields, null too, in order of id by bytes', async () => {
    const { store } = subject();
    const ids = ['tok-b', 'tok-a', 'tok-B', 'tok-', 'tok-aa', 'tok.a', 'tok-é'];
    for (const id of ids) await store.tokens.insert(sample.token(id, id === 'tok-a' ? { expiresAt: 1 } : {}));
    const found = async (where: Parameters<typeof store.tokens.find>[0]): Promise<readonly string[]> =>
      (await store.tokens.find(where)).map((row) => row.id);
    expect(await found({})).toEqual(['tok-', 'tok-B', 'tok-a', 'tok-aa', 'tok-b', 'tok-é', 'tok.a']);
    expect(await found({ expiresAt: 1 })).toEqual(['tok-a']);
    expect(await found({ expiresAt: null, id: 'tok-b' })).toEqual(['tok-b']);
    expect(await found({ autoAccept: false })).toEqual([]);
    expect(await found({ kind: 'join', hash: 'hash of tok-aa' })).toEqual(['tok-aa']);
    await expect(store.tokens.find({ autoEnable: [] })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(store.tokens.find({ nonsense: 1 } as never)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('refuses what one of the databases could not keep', async () => {
    const { store } = subject();
    const bad = { code: 'invalid_argument' };
    await expect(store.settings.insert({ id: 'a', value: 'x\0y' })).rejects.toMatchObject(bad);
    await expect(store.tokens.insert(sample.token('tok-1', { usesLeft: 1.5 }))).rejects.toMatchObject(bad);
    await expect(store.tokens.insert(sample.token('tok-1', { usesLeft: 2 ** 53 }))).rejects.toMatchObject(bad);
    await expect(store.tokens.insert(sample.token('tok-1', { createdAt: Number.NaN }))).rejects.toMatchObject(bad);
    await store.settings.insert({ id: 'a', value: 'half \ud800' });
    expect((await store.settings.get('a'))?.value).toBe('half \ufffd');
    await expect(store.settings.update('a', { id: 'b' } as never)).rejects.toMatchObject(bad);
  });

  it('keeps what is used, and refuses what refers to nothing', async () => {
    const { store } = subject();
    await sample.saveGround(store);
    await store.sites.insert(sample.site('site-1', 'plat-1'));
    const refused = { code: 'failed_precondition' };
    await expect(store.platforms.delete('plat-1')).rejects.toMatchObject(refused);
    await expect(store.sites.insert(sample.site('site-2', 'plat-none'))).rejects.toMatchObject(refused);
    await expect(store.services.insert(sample.service('svc-2', 'srv-none'))).rejects.toMatchObject(refused);
    expect(await store.sites.find()).toHaveLength(1);
    expect(await store.sites.delete('site-1')).toBe(true);
    expect(await store.platforms.delete('plat-1')).toBe(true);
  });

  it('remembers the highest user number of any site, also of one that is gone', async () => {
    const { store, reopen } = subject();
    await sample.saveGround(store);
    const highest = async (of: Store) => (await of.settings.get(HIGHEST_UID))?.value;
    await store.sites.insert(sample.site('site-0', 'plat-1'));
    expect(await highest(store)).toBeUndefined();
    await store.sites.insert(sample.site('site-1', 'plat-1', { uid: 480_007 }));
    await store.sites.insert(sample.site('site-2', 'plat-1', { uid: 480_003 }));
    expect(await highest(store)).toBe('480007');
    expect(await store.sites.delete('site-1')).toBe(true);
    await store.sites.update('site-2', { title: 'x' });
    const again = await reopen();
    expect(await highest(again)).toBe('480007');
    await again.sites.insert(sample.site('site-3', 'plat-1', { uid: 480_010 }));
    expect(await highest(again)).toBe('480010');
    // What is rolled back was never given.
    const failed = again.transaction(async (tx) => {
      await tx.sites.insert(sample.site('site-4', 'plat-1', { uid: 480_011 }));
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await highest(again)).toBe('480010');
  });

  it('refuses calls after it was closed', async () => {
    const { store } = subject();
    await store.close();
    await store.close();
    await expect(store.settings.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.transaction(async () => {})).rejects.toMatchObject({ code: 'unavailable' });
  });
}
