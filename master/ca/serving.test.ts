// The master's own certificates: names, usages, when they are made anew, and who is told.
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, openAuthority } from './authority.ts';
import { openServing, type ServingOptions } from './serving.ts';
import { opensslVerify } from './testing/openssl.ts';

const DAY = 24 * 3_600_000;
let dir: string;
let authority: Authority;
let clock = 0;
const now = () => Date.now() + clock;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-serving-'));
  authority = await openAuthority({ dir, now });
});
afterAll(() => rm(dir, { recursive: true }));

async function serving(options: Partial<ServingOptions> = {}) {
  const opened = await openServing({
    authority,
    dir,
    file: 'master',
    identity: 'aegir://master',
    names: ['master.example.org', '127.0.0.1', '::1', '0.0.0.0', '::'],
    clientAuth: false,
    now,
    log: pino({ level: 'silent' }),
    ...options,
  });
  opened.close();
  return opened;
}

test('is for the names and the identity, by the authority, which is shown with it', async () => {
  const { chainPem, keyPem } = (await serving()).current();
  const certificate = new X509Certificate(chainPem);
  expect(certificate.subjectAltName).toBe(
    'URI:aegir://master, DNS:master.example.org, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  );
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(chainPem.endsWith(authority.caPem)).toBe(true);
  expect(keyPem).toContain('PRIVATE KEY');
  expect(opensslVerify(authority.caPem, chainPem, 'sslserver')).toContain('OK');
  expect(() => opensslVerify(authority.caPem, chainPem, 'sslclient')).toThrow(/purpose/);
});

test('is kept while names and time allow, and made anew with the same key otherwise', async () => {
  const first = (await serving()).current();
  expect((await serving()).current()).toEqual(first);
  const renamed = (await serving({ names: ['master.example.org', '127.0.0.2'] })).current();
  expect(renamed.chainPem).not.toBe(first.chainPem);
  expect(renamed.keyPem).toBe(first.keyPem);
  const back = await serving();
  expect(back.current().chainPem).not.toBe(renamed.chainPem);
  expect(back.current().keyPem).toBe(first.keyPem);
  expect(new X509Certificate(back.current().chainPem).checkIP('127.0.0.1')).toBeDefined();
});

test('is renewed after two thirds of 90 days, and who serves with it hears', async () => {
  const opened = await serving();
  const first = opened.current();
  expect(Math.abs(first.notAfter - (now() + 90 * DAY))).toBeLessThan(60_000);
  let told = 0;
  const stop = opened.onChange(() => {
    told += 1;
  });
  clock = 59 * DAY;
  expect(await opened.refresh()).toBe(false);
  clock = 61 * DAY;
  expect(await opened.refresh()).toBe(true);
  expect(told).toBe(1);
  expect(opened.current().chainPem).not.toBe(first.chainPem);
  expect((await serving()).current()).toEqual(opened.current());
  stop();
  clock = 125 * DAY;
  expect(await opened.refresh()).toBe(true);
  expect(told).toBe(1);
  clock = 0;
});

test('a mesh node both serves and dials', async () => {
  const { chainPem } = (await serving({ file: 'mesh', identity: 'aegir://mesh', clientAuth: true })).current();
  expect(new X509Certificate(chainPem).keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(opensslVerify(authority.caPem, chainPem, 'sslclient')).toContain('OK');
});
