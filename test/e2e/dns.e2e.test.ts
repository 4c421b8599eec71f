// Zones through the whole: a name server elsewhere (Knot) is declared with its key, a zone with records and a site in it
// is published there by an agent, broken by hand, mended, and taken off; what others have in the zone stays.
import { Resolver } from 'node:dns/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KNOT_SECRET, openKnot } from '../../agent/engine/conformance/dns-knot.ts';
import type { DnsWorld } from '../../agent/engine/conformance/dns-stage.ts';
import {
  type ChangeResponse,
  ServiceServiceService,
  SiteServiceService,
  type Task,
  ZoneServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';

const SITE = 'one.example.org';
const WEB1 = '127.0.1.1';
const PROVIDER = 'web1/rfc2136:provider';
let machine: Machine;
let world: DnsWorld;
let foreign: readonly string[];

beforeAll(async () => {
  world = await openKnot('127.53.9.1', ['example.test']);
  await world.add('mail.example.org', 'A', '198.51.100.25');
  await world.add('taken.example.org', 'A', '198.51.100.80');
  await world.add(SITE, 'TXT', 'a proof that somebody wanted');
  foreign = await world.everything();
  machine = await startMachine();
  await addWordpress(machine);
});
afterAll(async () => {
  await machine?.close();
  await world?.close();
});

async function ended(change: Promise<ChangeResponse>): Promise<Task> {
  return (await finish(machine, (await change).taskId)).task;
}

async function done(change: Promise<ChangeResponse>): Promise<void> {
  const task = await ended(change);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
}

const zone = (planOnly = false) => ({
  ...{ zone: 'example.org', confirm: true },
  options: { planOnly, idempotencyKey: '' },
});
const link = () => machine.connection();

async function addresses(name: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 3 });
  resolver.setServers([world.address]);
  return resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') return [];
    throw error;
  });
}

test('the server elsewhere is declared; a wrong setting is said so, and nothing of it stays', async () => {
  const declare = (settings: Record<string, string>) =>
    link().call(ServiceServiceService.declareService, {
      ...{ server: 'web1', type: 'dns', engine: 'rfc2136', instance: 'provider', settings },
      ...{ secrets: { key: KNOT_SECRET }, options: undefined },
    });
  await expect(declare({ server: world.address, 'key-name': 'aegir', 'key-algorithm': 'rot13' })).rejects.toThrow(
    /key-algorithm/,
  );
  await done(declare({ server: world.address, 'key-name': 'aegir', zones: 'example.org' }));
  const shown = await link().call(ServiceServiceService.getService, { service: PROVIDER });
  expect(shown).toMatchObject({ state: 'enabled', origin: 'declared', secrets: ['key'] });
});

test('a zone and a record in it', async () => {
  const values = {
    ...{ nameservers: [], contact: '', ttl: 300, lowTtl: 60, ttlPolicy: '', leadSeconds: 0, negativeTtl: 0 },
    dnssec: false,
  };
  await done(link().call(ZoneServiceService.addZone, { name: 'example.org', service: '', values, options: undefined }));
  const elsewhere = { name: 'example.com', service: '', values, options: undefined };
  const absent = await ended(link().call(ZoneServiceService.addZone, elsewhere));
  expect([absent.state, absent.reason]).toEqual(['failed', expect.stringMatching(/does not carry zone example\.com/)]);
  await expect(link().call(ZoneServiceService.getZone, { zone: 'example.com' })).rejects.toThrow(/cannot find zone/);
  const record = { name: 'example.org', type: 'MX', data: '10 mail.example.org', ttl: 0, zone: '', options: undefined };
  await done(link().call(ZoneServiceService.addRecord, record));
  expect(await world.everything()).toContain('example.org. 300 IN MX 10 mail.example.org.');
});

test('a site is published in the zone of its name, and a name that somebody has is not taken', async () => {
  await done(installSite(machine, SITE));
  expect(await addresses(SITE)).toEqual([WEB1]);
  const taken = await ended(installSite(machine, 'taken.example.org'));
  expect([taken.state, taken.reason]).toEqual(['failed', expect.stringMatching(/somebody else has set taken\./)]);
  expect(await addresses('taken.example.org')).toEqual(['198.51.100.80']);
});

test('what is broken by hand is shown by --plan, and mended by verify', async () => {
  await world.remove(SITE, 'A');
  await world.add(SITE, 'A', '203.0.113.66');
  await world.remove('example.org', 'MX');
  const { plan } = await link().call(ZoneServiceService.verifyZone, zone(true));
  const shown = plan?.steps.flatMap((step) => step.changes).join('\n');
  expect(shown).toMatch(/one\.example\.org\. 300 IN A 127\.0\.1\.1 .*203\.0\.113\.66/);
  expect(shown).toMatch(/example\.org\. 300 IN MX 10 mail\.example\.org/);
  expect(await addresses(SITE)).toEqual(['203.0.113.66']);
  await done(link().call(ZoneServiceService.verifyZone, zone()));
  expect(await addresses(SITE)).toEqual([WEB1]);
  expect(await world.everything()).toEqual(expect.arrayContaining([...foreign]));
});

test('a low TTL reaches everything that is published', async () => {
  await done(
    link().call(ZoneServiceService.setZone, {
      ...{ zone: 'example.org', nameservers: [], contact: undefined, ttl: undefined, lowTtl: undefined },
      ...{ ttlPolicy: 'low', leadSeconds: undefined, negativeTtl: undefined, dnssec: undefined, options: undefined },
    }),
  );
  const all = await world.everything();
  expect(all).toContain(`${SITE}. 60 IN A ${WEB1}`);
  expect(all).toContain('example.org. 60 IN MX 10 mail.example.org.');
});

test('a site is given into the hands of a person: its records go, stay away, and come again', async () => {
  // In no public DNS: there is nothing that the person would be waited for.
  const inside = 'two.example.test';
  const values = {
    ...{ nameservers: [], contact: '', ttl: 300, lowTtl: 60, ttlPolicy: '', leadSeconds: 0, negativeTtl: 0 },
    dnssec: false,
  };
  await done(
    link().call(ZoneServiceService.addZone, { name: 'example.test', service: '', values, options: undefined }),
  );
  await done(installSite(machine, inside));
  expect(await addresses(inside)).toEqual([WEB1]);
  const rebind = (dns: string) =>
    link().call(SiteServiceService.rebindSite, { site: inside, dns, http: '', options: undefined });
  await done(rebind('web1/null'));
  expect(await addresses(inside)).toEqual([]);
  await done(link().call(SiteServiceService.verifySite, { site: inside, confirm: false, options: undefined }));
  await done(link().call(ZoneServiceService.verifyZone, { ...zone(), zone: 'example.test' }));
  expect(await addresses(inside)).toEqual([]);
  await done(rebind(PROVIDER));
  expect(await addresses(inside)).toEqual([WEB1]);
  await done(link().call(SiteServiceService.deleteSite, { site: inside, confirm: true, options: undefined }));
  await done(link().call(ZoneServiceService.removeZone, { ...zone(), zone: 'example.test' }));
});

test('everything of ours goes, and nothing of others', async () => {
  const site = { site: SITE, confirm: true, options: undefined };
  await done(link().call(SiteServiceService.deleteSite, site));
  await done(link().call(ZoneServiceService.removeZone, zone()));
  expect(await world.everything()).toEqual(foreign);
  const gone = await link().call(ServiceServiceService.removeService, {
    service: PROVIDER,
    confirm: true,
    abandoned: false,
  });
  expect(gone.name).toBe(PROVIDER);
});
