// Revocation bites at once: open streams end, even of an agent that does not read; nothing opens again.
import { X509Certificate } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentMessage, AgentServiceService, type RenewResponse } from '../../shared/gen/aegir/v1/agent.ts';
import { opensslRequest } from '../ca/testing/openssl.ts';
import type { ActionOrder } from './agents.ts';
import { clientOf, dial, inventory } from './testing/hand-agent.ts';
import { createRig, type Identity, type Rig, request } from './testing/rig.ts';

const WITHIN_MS = 5_000;
let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ timing: { stallMs: 1500 } });
});
afterAll(() => rig.close());

async function revoke(serverId: string): Promise<void> {
  await rig.store.servers.update(serverId, { state: 'revoked' });
  rig.sessions.disconnect(serverId, 'revoked');
}

function renew(identity: Identity, csrPem = request().csrPem): Promise<RenewResponse> {
  const client = clientOf(rig, identity);
  return new Promise<RenewResponse>((resolve, reject) => {
    const deadline = Date.now() + 5000;
    client.renew({ csrPem }, new Metadata(), { deadline }, (error, answer) => {
      if (error === null) resolve(answer);
      else reject(error);
    });
  }).finally(() => client.close());
}

function order(id: string, bytes = 0): ActionOrder {
  const expiresAt = rig.now() + 60_000;
  const platform = { id: '', app: '', root: 'x'.repeat(bytes) };
  const request = { $case: 'verifyPlatform' as const, value: { platform } };
  const taskId = 'task-0123456789abcdef';
  return { id, attempt: 1, generation: 1, resource: 'r', taskId, step: 0, urgent: false, expiresAt, request };
}

function perform(serverId: string, which: ActionOrder): Promise<string> {
  const { signal } = new AbortController();
  return rig.sessions.perform(serverId, which, { signal, onEvent() {}, onWaiting() {} }).then(
    () => 'ok',
    (error) => error.code,
  );
}

/** A session over bare HTTP/2 that says Hello and never reads. */
async function deafAgent(identity: Identity) {
  const connection = connectHttp2(`https://127.0.0.1:${rig.agents.port}`, {
    ca: rig.authority.caPem,
    cert: identity.certificatePem,
    key: identity.keyPem,
    servername: 'master.aegir.internal',
    checkServerIdentity: () => undefined,
  });
  const stream = connection.request({
    ':method': 'POST',
    ':path': AgentServiceService.session.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.pause();
  const closed = new Promise<number>((resolve) => connection.on('close', () => resolve(Date.now())));
  const streamClosed = new Promise<number>((resolve) => stream.on('close', () => resolve(Date.now())));
  for (const each of [connection, stream]) each.on('error', () => {}); // being cut is what is tested
  const hello = AgentMessage.encode({
    body: {
      $case: 'hello',
      value: { protocol: 1, bootId: 'b', inventory: inventory(), openActions: [], meshKey: '', highestGeneration: 0n },
    },
  }).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(hello.length, 1);
  stream.write(Buffer.concat([head, hello]));
  const until = Date.now() + 5000;
  while (!rig.sessions.isConnected(identity.serverId)) {
    if (Date.now() > until) throw new Error('the deaf agent did not get in');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { connection, closed, streamClosed };
}

describe('a revoked server', () => {
  test('hears it, is cut, and comes back nowhere', async () => {
    const identity = await rig.server();
    const agent = dial(rig, identity);
    await agent.hello();
    const waiting = perform(identity.serverId, order('a'));
    await agent.hear('action');
    const since = Date.now();
    await revoke(identity.serverId);
    expect((await agent.hear('goodbye')).reason).toBe('revoked');
    expect(await agent.status).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(Date.now() - since).toBeLessThan(WITHIN_MS);
    expect(await waiting).toBe('failed_precondition');
    expect(await perform(identity.serverId, order('b'))).toBe('failed_precondition');
    expect(rig.sessions.isConnected(identity.serverId)).toBe(false);
    agent.close();

    await expect(renew(identity)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    const again = dial(rig, identity);
    expect((await again.status).code).toBe(status.PERMISSION_DENIED);
    again.close();
  });

  test('that was removed hears it, and ends, too', async () => {
    const identity = await rig.server();
    const agent = dial(rig, identity);
    await agent.hello();
    await rig.store.certificates.update(identity.serial, { revokedAt: rig.now() });
    await revoke(identity.serverId);
    await rig.store.servers.delete(identity.serverId);
    expect((await agent.hear('goodbye')).reason).toBe('revoked');
    agent.close();
    await expect(renew(identity)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringMatching(/was removed; let the host join again/),
    });
    const again = dial(rig, identity);
    expect((await again.status).code).toBe(status.PERMISSION_DENIED);
    again.close();
  });

  test('is cut when it does not read', async () => {
    const identity = await rig.server();
    const deaf = await deafAgent(identity);
    // More than the windows of HTTP/2 take: the goodbye waits behind it.
    const waiting = perform(identity.serverId, order('a', 3_000_000));
    const since = Date.now();
    await revoke(identity.serverId);
    expect((await deaf.closed) - since).toBeLessThan(WITHIN_MS);
    expect(await waiting).toBe('failed_precondition');
    deaf.connection.destroy();
  });

  test('is cut before it said Hello', async () => {
    const identity = await rig.server();
    const agent = dial(rig, identity);
    agent.stream.write({ body: undefined }); // an unknown message; the stream is open when it was taken
    await new Promise((resolve) => setTimeout(resolve, 300));
    const since = Date.now();
    await revoke(identity.serverId);
    expect((await agent.status).code).toBe(status.PERMISSION_DENIED);
    expect(Date.now() - since).toBeLessThan(WITHIN_MS);
    agent.close();
  });

  test('whose revocation another master wrote is refused at Hello', async () => {
    const identity = await rig.server();
    const agent = dial(rig, identity);
    agent.stream.write({ body: undefined });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await rig.store.servers.update(identity.serverId, { state: 'revoked' });
    void agent.hello().catch(() => {});
    expect((await agent.status).code).toBe(status.PERMISSION_DENIED);
    agent.close();
  });
});

test('an agent that does not read is given up, and its orders wait for the next session', async () => {
  const identity = await rig.server();
  const deaf = await deafAgent(identity);
  const orders = Array.from({ length: 4 }, (_, at) => perform(identity.serverId, order(`o${at}`, 1_000_000)));
  const flood = Array.from({ length: 30 }, () =>
    rig.sessions
      .ask(
        identity.serverId,
        { $case: 'diagnose', value: { masterTime: undefined, services: [], hostOnly: false } },
        20_000,
      )
      .catch((e) => e.code),
  );
  await deaf.streamClosed;
  expect(new Set(await Promise.all(flood))).toEqual(new Set(['unavailable']));
  const agent = dial(rig, identity);
  await agent.hello();
  for (let i = 0; i < 4; i++) {
    const action = await agent.hear('action');
    expect(action).toMatchObject({ id: `o${i}`, attempt: 2 });
    agent.ok(action.id);
  }
  expect(await Promise.all(orders)).toEqual(['ok', 'ok', 'ok', 'ok']);
  agent.close();
  deaf.connection.destroy();
});

describe('renewal', () => {
  test("is for the caller's own identity, whatever the request says", async () => {
    const identity = await rig.server();
    const other = await rig.server();
    const claims = opensslRequest(undefined, [
      '-subj',
      `/CN=${other.serverId}`,
      '-addext',
      `subjectAltName=URI:aegir://${other.serverId}`,
    ]);
    const { certificatePem, caPem } = await renew(identity, claims.csrPem);
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subjectAltName).toBe(`URI:aegir://${identity.serverId}`);
    expect(caPem).toBe(rig.authority.caPem);
    const serial = certificate.serialNumber.toLowerCase();
    expect(await rig.store.certificates.get(serial)).toMatchObject({ serverId: identity.serverId });
    const renewed = { ...identity, certificatePem, keyPem: claims.keyPem, serial };
    const agent = dial(rig, renewed);
    await agent.hello();
    agent.close();
    // The one before holds until it ends by itself: its stream is still open.
    await expect(renew(identity)).resolves.toBeDefined();
  });

  test('forgets certificates that have ended', async () => {
    const identity = await rig.server();
    const old = { id: '4'.repeat(32), serverId: identity.serverId, notAfter: rig.now() - 1, revokedAt: null };
    await rig.store.certificates.insert(old);
    await renew(identity);
    expect(await rig.store.certificates.get(old.id)).toBeUndefined();
    expect(await rig.store.certificates.get(identity.serial)).toBeDefined();
  });

  test('is bounded', async () => {
    const identity = await rig.server();
    const ends = await Promise.allSettled(Array.from({ length: 14 }, () => renew(identity)));
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [(end.reason as ServiceError).code] : []));
    expect(codes).toEqual(Array(4).fill(status.RESOURCE_EXHAUSTED));
  });
});
