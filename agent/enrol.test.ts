import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type EnrolRequest, type EnrolResponse, HostFacts } from '../shared/gen/aegir/v1/agent.ts';
import { enrol } from './enrol.ts';
import { ownFiles } from './host-of.ts';
import { createIdentityStore } from './identity.ts';
import { createAuthority, type TestAuthority } from './testing/authority.ts';
import { startMaster, type TestMaster } from './testing/master.ts';
import { SERVER_ID } from './testing/requests.ts';

const FACTS = HostFacts.fromPartial({ hostname: 'web1.example', memoryBytes: 1n });
let authority: TestAuthority;
let foreign: TestAuthority;
beforeAll(() => {
  authority = createAuthority();
  foreign = createAuthority();
});
afterAll(() => {
  authority.remove();
  foreign.remove();
});

let dir = '';
let masters: TestMaster[] = [];
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'aegir-enrol-')), 'state');
});
afterEach(async () => {
  for (const master of masters) await master.stop();
  masters = [];
  rmSync(dirname(dir), { recursive: true, force: true });
});

const answer = (request: EnrolRequest, part: Partial<EnrolResponse> = {}): EnrolResponse => ({
  serverId: SERVER_ID,
  name: 'web1',
  certificatePem: authority.sign(request.csrPem, `aegir://${SERVER_ID}`),
  caPem: authority.caPem,
  masters: ['127.0.0.1:7002'],
  enrolAddresses: ['127.0.0.1:7003'],
  ...part,
});

/** An enrol listener; what it was asked is kept. */
async function listen(part: { answer?: typeof answer; pair?: ReturnType<TestAuthority['issue']> } = {}) {
  const asked: EnrolRequest[] = [];
  const master = await startMaster({
    authority,
    ...(part.pair === undefined ? {} : { pair: part.pair }),
    onEnrol: (request) => {
      asked.push(request);
      return (part.answer ?? answer)(request);
    },
  });
  masters.push(master);
  return { asked, address: master.address };
}

const join_ = (address: string, part: object = {}) =>
  enrol({
    master: address,
    token: 'a-join-token',
    caPin: authority.pin,
    facts: FACTS,
    store: createIdentityStore(ownFiles(), dir),
    again: false,
    now: Date.now,
    ...part,
  });

describe('enrol', () => {
  test('proves the master, sends the token, and keeps the identity for the agent alone', async () => {
    const { asked, address } = await listen();
    const identity = await join_(address);
    expect(asked).toMatchObject([{ token: 'a-join-token', name: 'web1.example', facts: { hostname: 'web1.example' } }]);
    expect(asked[0]?.csrPem.length).toBeLessThan(8192);
    const key = createPrivateKey(identity.keyPem);
    expect(key.asymmetricKeyType).toBe('rsa');
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(new X509Certificate(identity.certificatePem).checkPrivateKey(key)).toBe(true);
    expect(await createIdentityStore(ownFiles(), dir).load()).toEqual(identity);
    expect(statSync(join(dir, 'identity.json')).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  test('a second time only when asked for', async () => {
    const { asked, address } = await listen();
    await join_(address);
    await expect(join_(address)).rejects.toThrow(/web1 .* already; use --again/);
    expect(asked.length).toBe(1);
    await join_(address, { again: true });
    expect(asked.length).toBe(2);
  });

  test('sends nothing to a master whose authority is not the pinned one', async () => {
    const { asked, address } = await listen();
    await expect(join_(address, { caPin: foreign.pin })).rejects.toThrow(
      /not the one that the CA pin names.*nothing was sent/,
    );
    expect(asked).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  });

  test('sends nothing to one who merely shows the pinned authority', async () => {
    // Certificate of a foreign authority, chain with ours: anybody can copy a public certificate.
    const { asked, address } = await listen({ pair: foreign.issue('aegir://master') });
    await expect(join_(address)).rejects.toThrow(/did not sign its certificate; nothing was sent/);
    expect(asked).toEqual([]);
  });

  test('sends nothing to an agent of the pinned authority', async () => {
    const { asked, address } = await listen({ pair: authority.issue(`aegir://${SERVER_ID}`) });
    await expect(join_(address)).rejects.toThrow(/not that of a master; nothing was sent/);
    expect(asked).toEqual([]);
  });

  test('sends nothing to a master with an expired certificate', async () => {
    const { asked, address } = await listen({ pair: authority.issue('aegir://master', -60) });
    await expect(join_(address)).rejects.toThrow(/has expired/);
    expect(asked).toEqual([]);
  });

  test.each([
    ['another authority', () => ({ caPem: foreign.caPem }), /none of its authorities|other authorities/],
    [
      'a certificate for another key',
      () => ({ certificatePem: authority.issue(`aegir://${SERVER_ID}`).certificatePem }),
      /another key/,
    ],
    ['another server id', () => ({ serverId: 'srv-000000000000000a' }), /not for srv-000000000000000a/],
    ['an id that leads elsewhere', () => ({ serverId: '../../etc' }), /server id/],
    ['no masters', () => ({ masters: [] }), /masters/],
    ['a master that is none', () => ({ masters: ['unix:/tmp/x'] }), /host:port/],
  ])('keeps nothing when the answer has %s', async (_name, part, why) => {
    const { address } = await listen({ answer: (request) => answer(request, part()) });
    await expect(join_(address)).rejects.toThrow(why);
    expect(existsSync(dir)).toBe(false);
  });

  test("passes the master's refusal on", async () => {
    const { address } = await listen({
      answer: () => {
        throw Object.assign(new Error('the token was used up'), { code: 16 });
      },
    });
    await expect(join_(address)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'cannot join: the token was used up',
    });
  });

  test.each([
    ['master', { master: 'nowhere' }],
    ['pin', { caPin: 'sha256:12' }],
    ['token', { token: 'two words' }],
    ['empty token', { token: '' }],
  ])('refuses a malformed %s before it dials', async (_name, part) => {
    await expect(join_('127.0.0.1:1', part)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('says when nobody is there, and when it is no TLS', async () => {
    await expect(join_('127.0.0.1:1')).rejects.toThrow(/cannot reach the master at 127.0.0.1:1/);
    const plain: Server = createServer((socket) => socket.end('HTTP/1.1 400 no\r\n\r\n'));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as { port: number };
    await expect(join_(`127.0.0.1:${port}`)).rejects.toThrow(/cannot reach the master/);
    plain.close();
  });
});
