// A certificate of a real authority (Pebble), whose proofs are records in a zone of a real name server (Knot) that an agent
// sets: got, renewed, served; the proofs go, and what others have in the zone stays.
// @module-tag deep
import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KNOT_SECRET, openKnot } from '../../agent/engine/conformance/dns-knot.ts';
import type { DnsWorld } from '../../agent/engine/conformance/dns-stage.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ServiceServiceService,
  SiteServiceService,
  type Task,
  ZoneServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import { addWordpress, createMachine, finish, type Machine } from './machine.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { installSite } from './site-tasks.ts';

const NAME = 'secure.example.org';
const ALIAS = 'www.secure.example.org';
/** Nobody listens there: over HTTP nothing could be proved. */
const NO_HTTP_PORT = 9;
let machine: Machine;
let world: DnsWorld;
let pebble: Pebble;

const link = () => machine.connection();
const options = undefined;
async function ended(change: Promise<ChangeResponse>): Promise<{ task: Task; events: readonly Event[] }> {
  return finish(machine, (await change).taskId);
}
async function done(change: Promise<ChangeResponse>): Promise<readonly Event[]> {
  const { task, events } = await ended(change);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
  return events;
}
const set = (https: string, addAliases: string[] = []) =>
  link().call(SiteServiceService.setSite, {
    ...{ site: NAME, addAliases, removeAliases: [], certificatePem: '', keyPem: '', authUsers: [], https },
    ...{ removeAuthUsers: [], openToAll: false, options },
  });
const certify = () => link().call(SiteServiceService.certifySite, { site: NAME, confirm: false, options });

beforeAll(async () => {
  world = await openKnot('127.53.9.2');
  await world.add('mail.example.org', 'A', '198.51.100.25');
  machine = await createMachine();
  pebble = await startPebble(LOOPBACK, NO_HTTP_PORT, world.address);
  const { directory, caFile } = pebble;
  await machine.start('master', {}, { acme: { directory, caFile, termsOfServiceAgreed: true } });
  await machine.start('web1');
  await machine.start('db1');
  await machine.ready();
  await addWordpress(machine);
});
afterAll(async () => {
  await pebble?.close();
  await machine?.close();
  await world?.close();
});

/** What is shown to whoever asks for the name. */
function shown(): Promise<X509Certificate> {
  const port = machine.layout.ports.web1.nginxTls ?? 0;
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const socket = connect({ host: LOOPBACK, port, servername: NAME, rejectUnauthorized: false }, () => {
    resolve(new X509Certificate(socket.getPeerCertificate().raw));
    socket.destroy();
  });
  socket.on('error', reject);
  return promise;
}

const proofs = async () => (await world.everything()).filter((line) => line.includes('_acme-challenge'));

test('names that are in no zone here are not proved by DNS', async () => {
  await done(installSite(machine, NAME, [ALIAS]));
  await expect(set('acme-dns')).rejects.toThrow(/cannot prove secure\.example\.org by DNS: no zone of ours holds it/);
});

test('a certificate is got by records in the zone, which go again', async () => {
  await done(
    link().call(ServiceServiceService.declareService, {
      ...{
        server: 'web1',
        type: 'dns',
        engine: 'rfc2136',
        instance: 'provider',
        secrets: { key: KNOT_SECRET },
        options,
      },
      settings: { server: world.address, 'key-name': 'aegir', zones: 'example.org' },
    }),
  );
  const values = {
    ...{ nameservers: [], contact: '', ttl: 300, lowTtl: 60, ttlPolicy: '', leadSeconds: 0, negativeTtl: 0 },
    dnssec: false,
  };
  const service = 'web1/rfc2136:provider';
  await done(link().call(ZoneServiceService.addZone, { name: 'example.org', service, values, options }));
  const before = await world.everything();
  await done(set('acme-dns'));
  await done(certify());
  const { certificate, web } = await link().call(SiteServiceService.getSite, { site: NAME });
  expect(web?.https).toBe('acme-dns');
  expect(certificate).toMatchObject({ source: 'acme', issuer: expect.stringMatching(/Pebble/) });
  expect([...(certificate?.names ?? [])].sort()).toEqual([NAME, ALIAS].sort());
  expect((await shown()).issuer).toMatch(/Pebble/);
  expect(await proofs()).toEqual([]);
  expect(await world.everything()).toEqual(before);
});

test('it is renewed by another one', async () => {
  const before = (await shown()).serialNumber;
  await done(certify());
  expect((await shown()).serialNumber).not.toBe(before);
  expect(await proofs()).toEqual([]);
});

test('a name that has a proof of somebody else is told as such, and that stays', async () => {
  const before = (await shown()).serialNumber;
  await world.add(`_acme-challenge.${ALIAS}`, 'TXT', 'of another client');
  const { task } = await ended(certify());
  expect([task.state, task.reason]).toEqual([
    'failed',
    expect.stringMatching(/somebody else has set _acme-challenge\.www\.secure\.example\.org/),
  ]);
  expect(await proofs()).toEqual([expect.stringContaining('of another client')]);
  expect((await shown()).serialNumber).toBe(before);
  await world.remove(`_acme-challenge.${ALIAS}`, 'TXT');
  await done(certify());
});
