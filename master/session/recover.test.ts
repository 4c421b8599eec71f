// Recovery over the real listener: a server that was away gets its certificate again; nobody else gets one.
import { sign, X509Certificate } from 'node:crypto';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../shared/error.ts';
import { EnrolServiceClient, type RecoverRequest, type RecoverResponse } from '../../shared/gen/aegir/v1/agent.ts';
import { recoveryProof } from '../../shared/recovery.ts';
import { openAuthority } from '../ca/authority.ts';
import { opensslRequest } from '../ca/testing/openssl.ts';
import { CHANNEL, dial, trust } from './testing/hand-agent.ts';
import { createRig, DAY_MS, type Identity, type Rig, request } from './testing/rig.ts';

let rig: Rig;
let client: EnrolServiceClient;
let fresh: ReturnType<typeof opensslRequest>;

beforeAll(async () => {
  rig = await createRig();
  client = new EnrolServiceClient(`127.0.0.1:${rig.enrol.port}`, trust(rig), CHANNEL);
  fresh = opensslRequest();
});
beforeEach(() => {
  rig.clock += 3_600_000; // what one test failed too often, the next one may again
});
afterAll(async () => {
  client.close();
  await rig.close();
});

/** A server whose certificate was made so many days ago, and lived one. */
async function away(days: number): Promise<Identity> {
  const clock = rig.clock;
  rig.clock -= days * DAY_MS;
  const identity = await rig.server();
  rig.clock = clock;
  return identity;
}

function signed(identity: Identity, csrPem = fresh.csrPem): RecoverRequest {
  const signature = sign('sha256', recoveryProof(csrPem), identity.keyPem);
  return { certificatePem: identity.certificatePem, csrPem, signature };
}

function recover(asked: RecoverRequest): Promise<RecoverResponse> {
  return new Promise((resolve, reject) => {
    client.recover(asked, (error, response) => (error === null ? resolve(response) : reject(error)));
  });
}

async function refusal(asked: RecoverRequest): Promise<readonly [number, string]> {
  return recover(asked).then(
    () => [0, 'it got one'] as const,
    (error: ServiceError) => [error.code, error.details] as const,
  );
}

test('a server that was away for a month is let in again, as itself', async () => {
  rig.clock = 0; // TLS goes by the real one
  const old = await away(30);
  const { certificatePem, caPem } = await recover(signed(old));
  const certificate = new X509Certificate(certificatePem);
  expect(certificate.subjectAltName).toBe(`URI:aegir://${old.serverId}`);
  expect(caPem).toBe(rig.authority.caPem);
  const serial = certificate.serialNumber.toLowerCase();
  expect(await rig.store.certificates.get(serial)).toMatchObject({ serverId: old.serverId, revokedAt: null });
  const agent = dial(rig, { ...old, certificatePem, keyPem: fresh.keyPem, serial });
  await agent.hello();
  agent.close();
});

test('an answer that got lost is asked for again', async () => {
  const old = await away(3);
  await recover(signed(old));
  await expect(recover(signed(old))).resolves.toMatchObject({ caPem: rig.authority.caPem });
});

describe('is refused', () => {
  const { unauthenticated, permission_denied, invalid_argument } = ERROR_CODES;

  test('a signature for another request, of another key, or none', async () => {
    const old = await away(2);
    const good = signed(old);
    const stranger = opensslRequest();
    for (const signature of [
      Buffer.alloc(0),
      sign('sha256', recoveryProof(request().csrPem), old.keyPem),
      sign('sha256', Buffer.from(fresh.csrPem), old.keyPem),
      sign('sha256', recoveryProof(fresh.csrPem), stranger.keyPem),
    ]) {
      expect(await refusal({ ...good, signature })).toEqual([unauthenticated, expect.stringMatching(/not by its key/)]);
      rig.clock += 60_000;
    }
    // Whoever heard it all and puts his own key in its place.
    expect((await refusal({ ...good, csrPem: stranger.csrPem }))[0]).toBe(unauthenticated);
  });

  test('a certificate of another authority, of no server, unknown, and no certificate', async () => {
    const old = await away(2);
    const foreign = await openAuthority({ dir: `${rig.dir}/foreign`, now: rig.now });
    const strange = await foreign.issueServer(old.serverId, request().csrPem);
    const own = rig.serving.current();
    const unknown = await away(2);
    await rig.store.certificates.delete(unknown.serial);
    for (const [shown, why] of [
      [{ ...old, certificatePem: strange.pem }, /not of this master/],
      [{ ...old, certificatePem: own.chainPem, keyPem: own.keyPem }, /not a server's/],
      [unknown, /does not know it/],
      [{ ...old, certificatePem: 'x' }, /is none/],
      [{ ...old, certificatePem: '' }, /is none/],
    ] as const) {
      expect(await refusal(signed(shown))).toEqual([unauthenticated, expect.stringMatching(why)]);
      rig.clock += 60_000;
    }
  });

  test('what was revoked', async () => {
    const server = await away(2);
    await rig.store.servers.update(server.serverId, { state: 'revoked' });
    expect(await refusal(signed(server))).toEqual([permission_denied, expect.stringMatching(/was revoked/)]);
    const certificate = await away(2);
    await rig.store.certificates.update(certificate.serial, { revokedAt: rig.now() });
    expect(await refusal(signed(certificate))).toEqual([permission_denied, expect.stringMatching(/was revoked/)]);
  });

  test('what is left of a server that was removed', async () => {
    const server = await away(2);
    await rig.store.certificates.update(server.serial, { revokedAt: rig.now() });
    await rig.store.servers.delete(server.serverId);
    expect(await refusal(signed(server))).toEqual([permission_denied, expect.stringMatching(/was removed/)]);
    expect((await refusal({ ...signed(server), signature: Buffer.alloc(256) }))[0]).toBe(unauthenticated);
  });

  test('who was away for more than 90 days', async () => {
    expect(await refusal(signed(await away(95)))).toEqual([unauthenticated, expect.stringMatching(/90 days/)]);
  });

  test('a request that is too long, or has no proof of its own key', async () => {
    const old = await away(2);
    expect((await refusal({ ...signed(old), signature: Buffer.alloc(5000) }))[0]).toBe(invalid_argument);
    expect((await refusal(signed(old, 'x'.repeat(9000))))[0]).toBe(invalid_argument);
    expect((await refusal(signed(old, 'garbage')))[0]).toBe(invalid_argument);
    expect((await rig.store.certificates.find({ serverId: old.serverId })).length).toBe(1);
  });
});
