// Joining over the real listener: who gets in, who doesn't, and that n uses make n servers.
import { X509Certificate } from 'node:crypto';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../shared/error.ts';
import { type EnrolRequest, type EnrolResponse, EnrolServiceClient } from '../../shared/gen/aegir/v1/agent.ts';
import { opensslRequest } from '../ca/testing/openssl.ts';
import { newToken, tokenHash } from '../ca/tokens.ts';
import { CHANNEL, trust } from './testing/hand-agent.ts';
import { createRig, facts, type Rig, request } from './testing/rig.ts';

let rig: Rig;
let client: EnrolServiceClient;

beforeAll(async () => {
  rig = await createRig();
  client = new EnrolServiceClient(`127.0.0.1:${rig.enrol.port}`, trust(rig), CHANNEL);
});
beforeEach(() => {
  rig.clock += 3_600_000; // what one test failed too often, the next one may again
});
afterAll(async () => {
  client.close();
  await rig.close();
});

function enrol(asked: Partial<EnrolRequest>): Promise<EnrolResponse> {
  const whole = { token: '', csrPem: request().csrPem, name: 'web1', facts: facts(), ...asked };
  return new Promise((resolve, reject) => {
    client.enrol(whole, (error, response) => (error === null ? resolve(response) : reject(error)));
  });
}

async function refusal(asked: Partial<EnrolRequest>): Promise<ServiceError> {
  return enrol(asked).then(
    () => {
      throw new Error('it was let in');
    },
    (error: ServiceError) => error,
  );
}

test('a token makes a server with a certificate that opens a session', async () => {
  const token = await rig.token({ autoEnable: ['http'] });
  const answer = await enrol({ token, name: 'Web9.Example.org' });
  expect(answer).toMatchObject({
    name: 'web9.example.org',
    caPem: rig.authority.caPem,
    masters: ['127.0.0.1:7444'],
    enrolAddresses: ['127.0.0.1:7445'],
  });
  const certificate = new X509Certificate(answer.certificatePem);
  expect(certificate.subjectAltName).toBe(`URI:aegir://${answer.serverId}`);
  const server = await rig.store.servers.get(answer.serverId);
  expect(server).toMatchObject({ state: 'pending', autoEnable: ['http'], facts: { hostname: 'web1.example.org' } });
  const record = await rig.store.certificates.get(certificate.serialNumber.toLowerCase());
  expect(record).toMatchObject({ serverId: answer.serverId, revokedAt: null });
  expect(server?.certificateExpiresAt).toBe(record?.notAfter);
});

test('a token with autoAccept makes an accepted server; names stay unique', async () => {
  const token = await rig.token({ usesLeft: 3, autoAccept: true });
  const names: string[] = [];
  for (let i = 0; i < 3; i++) names.push((await enrol({ token, name: 'same' })).name);
  expect(names).toEqual(['same', 'same-2', 'same-3']);
  const [server] = await rig.store.servers.find({ name: 'same-3' });
  expect(server?.state).toBe('accepted');
});

test('a server that joins has no address of an accepted one', async () => {
  const token = await rig.token({ usesLeft: 2, autoAccept: true });
  const said = (addresses: string[]) => facts({ addresses, sourceAddresses: addresses });
  const first = await enrol({ token, facts: said(['198.51.100.1']) });
  const second = await enrol({ token, facts: said(['198.51.100.1', '198.51.100.2']) });
  const [kept, left] = [await rig.store.servers.get(first.serverId), await rig.store.servers.get(second.serverId)];
  expect(kept?.facts).toMatchObject({ addresses: ['198.51.100.1'], sourceAddresses: ['198.51.100.1'] });
  expect(left?.facts).toMatchObject({ addresses: ['198.51.100.2'], sourceAddresses: ['198.51.100.2'] });
});

test.each([
  { uses: 1, tries: 8 },
  { uses: 3, tries: 10 },
])('$uses uses are $uses servers when $tries try at once', async ({ uses, tries }) => {
  const before = (await rig.store.servers.find()).length;
  const token = await rig.token({ usesLeft: uses });
  const ends = await Promise.allSettled(Array.from({ length: tries }, () => enrol({ token })));
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(uses);
  const codes = ends.flatMap((end) => (end.status === 'rejected' ? [(end.reason as ServiceError).code] : []));
  expect(new Set(codes)).toEqual(new Set([ERROR_CODES.unauthenticated]));
  expect((await rig.store.servers.find()).length - before).toBe(uses);
  expect((await rig.store.tokens.find({ hash: tokenHash(token) }))[0]?.usesLeft).toBe(0);
});

describe('is refused', () => {
  const tokens: Record<string, readonly [() => Promise<string>, RegExp]> = {
    'no token': [async () => '', /is not valid/],
    garbage: [async () => 'x'.repeat(1000), /is not valid/],
    'an unknown token': [async () => newToken('join').value, /is not valid/],
    'a token for the API': [() => rig.token({ kind: 'api', role: 'admin', usesLeft: 0 }), /is not valid/],
    'a used token': [() => rig.token({ usesLeft: 0 }), /is used up/],
    'an expired token': [() => rig.token({ expiresAt: rig.now() - 1 }), /has expired/],
    'a revoked token': [() => rig.token({ revokedAt: rig.now() - 1 }), /was revoked/],
  };
  test.each(Object.keys(tokens))('%s', async (what) => {
    const [make, why] = tokens[what] ?? [async () => '', /never/];
    const servers = (await rig.store.servers.find()).length;
    const error = await refusal({ token: await make() });
    expect(error.code).toBe(ERROR_CODES.unauthenticated);
    expect(error.details).toMatch(why);
    expect((await rig.store.servers.find()).length).toBe(servers);
  });

  const requests: Record<string, () => Partial<EnrolRequest>> = {
    'a request too big': () => ({ csrPem: 'x'.repeat(8193) }),
    'a request of garbage': () => ({ csrPem: 'garbage' }),
    'an EC key': () => ({
      csrPem: opensslRequest(['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']).csrPem,
    }),
    'a forged signature': () => ({ csrPem: withoutProof(request().csrPem) }),
    'no facts': () => ({ facts: undefined }),
  };
  test.each(Object.keys(requests))('%s, and the token is not used', async (what) => {
    const token = await rig.token();
    const error = await refusal({ token, ...requests[what]?.() });
    expect(error.code).toBe(ERROR_CODES.invalid_argument);
    expect((await rig.store.tokens.find({ hash: tokenHash(token) }))[0]?.usesLeft).toBe(1);
    await expect(enrol({ token })).resolves.toMatchObject({ serverId: expect.stringMatching(/^srv-/) });
  });

  test('a message of more than strangers may send', async () => {
    const error = await refusal({ token: await rig.token(), name: 'x'.repeat(300_000) });
    expect(error.code).toBe(ERROR_CODES.resource_exhausted);
  });

  test('whoever guesses for long, even with a good token, until some time has passed', async () => {
    const token = await rig.token();
    const codes: (number | undefined)[] = [];
    for (let i = 0; i < 15; i++) codes.push((await refusal({ token: newToken('join').value })).code);
    expect(codes.at(0)).toBe(ERROR_CODES.unauthenticated);
    expect(codes.at(-1)).toBe(ERROR_CODES.resource_exhausted);
    expect((await refusal({ token })).code).toBe(ERROR_CODES.resource_exhausted);
    rig.clock += 60_000;
    await expect(enrol({ token })).resolves.toBeDefined();
  });
});

function withoutProof(pem: string): string {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  der.fill(1, der.length - 200);
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}
