// Deny by default, walked over the service definitions: every method on every listener for every kind of caller that
// must not get in. Once through TLS as it is, once with TLS that lets everybody through, so that the guard alone holds.
import { Client, experimental, Server, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentServiceService, EnrolServiceService } from '../../shared/gen/aegir/v1/agent.ts';
import { openAuthority } from '../ca/authority.ts';
import { openServing } from '../ca/serving.ts';
import { guardAgentService } from './guard.ts';
import { CHANNEL, trust } from './testing/hand-agent.ts';
import { createRig, type Identity, type Rig, request } from './testing/rig.ts';

const SERVICES = [AgentServiceService, EnrolServiceService];
const METHODS = SERVICES.flatMap((service) => Object.values(service));
type Method = (typeof METHODS)[number];
type Shown = Pick<Identity, 'certificatePem' | 'keyPem'> | undefined;

let rig: Rig;
let lenient: { readonly port: number; readonly server: Server };
const callers = new Map<string, Shown>();
let good: Identity;

beforeAll(async () => {
  rig = await createRig();
  good = await rig.server();
  lenient = await listenLeniently();

  callers.set('no certificate', undefined);
  const foreign = await openAuthority({ dir: `${rig.dir}/foreign`, now: Date.now });
  const stranger = await rig.server();
  const strange = await foreign.issueServer(stranger.serverId, request().csrPem);
  // Even a serial that we know does not help a certificate of somebody else's authority.
  await rig.store.certificates.insert({
    id: strange.serial,
    serverId: stranger.serverId,
    notAfter: strange.notAfter,
    revokedAt: null,
  });
  callers.set('a foreign authority', { certificatePem: strange.pem, keyPem: request().keyPem });

  rig.clock = -48 * 3_600_000;
  callers.set('an expired certificate', await rig.server());
  rig.clock = 0;

  const revokedServer = await rig.server();
  await rig.store.servers.update(revokedServer.serverId, { state: 'revoked' });
  callers.set('a revoked server', revokedServer);

  const revokedCertificate = await rig.server();
  await rig.store.certificates.update(revokedCertificate.serial, { revokedAt: rig.now() });
  callers.set('a revoked certificate', revokedCertificate);

  const lapsed = await rig.server();
  await rig.store.certificates.update(lapsed.serial, { notAfter: rig.now() - 1 });
  callers.set('a certificate that ended by our own record', lapsed);

  const unknown = await rig.server();
  await rig.store.certificates.delete(unknown.serial);
  callers.set('a certificate of ours that nobody recorded', unknown);

  const others = await rig.server();
  await rig.store.certificates.update(others.serial, { serverId: good.serverId });
  callers.set("a certificate recorded as another agent's", others);

  const own = rig.serving.current();
  callers.set("the master's own certificate", { certificatePem: own.chainPem, keyPem: own.keyPem });
  for (const identity of ['aegir://mesh', `aegir://${good.serverId}/`, 'aegir://srv-']) {
    const node = await openServing({
      authority: rig.authority,
      dir: `${rig.dir}/node`,
      file: 'node',
      identity,
      names: ['127.0.0.1'],
      clientAuth: true,
      now: rig.now,
      log: { info() {}, error() {} },
    });
    node.close();
    const { chainPem, keyPem } = node.current();
    callers.set(`a certificate of ours for ${identity}`, { certificatePem: chainPem, keyPem });
  }
  // Names beside the server's own: not what we issue to agents.
  const two = await openServing({
    authority: rig.authority,
    dir: `${rig.dir}/two`,
    file: 'two',
    identity: `aegir://${good.serverId}`,
    names: ['127.0.0.1'],
    clientAuth: true,
    now: rig.now,
    log: { info() {}, error() {} },
  });
  two.close();
  callers.set('a certificate of ours with further names', {
    certificatePem: two.current().chainPem,
    keyPem: two.current().keyPem,
  });
});

afterAll(async () => {
  lenient.server.forceShutdown();
  await rig.close();
});

const REFUSED = [status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.UNIMPLEMENTED];
const NAMES = [
  'no certificate',
  'a foreign authority',
  'an expired certificate',
  'a revoked server',
  'a revoked certificate',
  'a certificate that ended by our own record',
  'a certificate of ours that nobody recorded',
  "a certificate recorded as another agent's",
  "the master's own certificate",
  'a certificate of ours for aegir://mesh',
  'a certificate of ours with further names',
];

test('the walk sees every method', () => {
  expect(METHODS.length).toBeGreaterThanOrEqual(5);
  expect(METHODS).toContain(AgentServiceService.upload);
  expect(NAMES.every((name) => callers.has(name))).toBe(true);
});

describe('the listener of agents', () => {
  test.each(NAMES)('refuses %s on every method', async (name) => {
    for (const method of METHODS) {
      const code = await outcome(rig.agents.port, method, callers.get(name));
      // TLS ends the connection of some before gRPC can answer.
      expect([method.path, code]).toEqual([method.path, expect.toBeOneOf([...REFUSED, status.UNAVAILABLE])]);
    }
  });

  test.each(['no certificate', 'a foreign authority', 'an expired certificate', "the master's own certificate"])(
    'ends %s in TLS',
    async (name) => {
      expect(await outcome(rig.agents.port, AgentServiceService.renew, callers.get(name))).toBe(status.UNAVAILABLE);
    },
  );

  test('serves no other service, not even to an agent', async () => {
    expect(await outcome(rig.agents.port, EnrolServiceService.enrol, good)).toBe(status.UNIMPLEMENTED);
  });

  test('lets an agent in', async () => {
    expect(await outcome(rig.agents.port, AgentServiceService.renew, good)).toBe(status.INVALID_ARGUMENT);
    expect(await outcome(rig.agents.port, AgentServiceService.session, good)).toBe('open');
    // In, but nobody waits for anything of it.
    expect(await outcome(rig.agents.port, AgentServiceService.upload, good)).toBe(status.PERMISSION_DENIED);
  });
});

describe('the guard alone, without help from TLS', () => {
  test('refuses every caller on every method', async () => {
    for (const [name, shown] of callers) {
      for (const method of METHODS) {
        const code = await outcome(lenient.port, method, shown);
        expect([name, method.path, code]).toEqual([name, method.path, expect.toBeOneOf(REFUSED)]);
        const ours = Object.values(AgentServiceService).some(({ path }) => path === method.path);
        if (ours) expect(code).not.toBe(status.UNIMPLEMENTED);
      }
    }
  });

  test('lets an agent in', async () => {
    expect(await outcome(lenient.port, AgentServiceService.renew, good)).toBe(status.INVALID_ARGUMENT);
  });

  test('cannot be built with a method left out', () => {
    const handlers = { session: async () => {} };
    expect(() => guardAgentService({ ...rig, log: silent } as never, handlers as never)).toThrow(/has no handler/);
  });
});

describe('the listener for joining', () => {
  test.each([...NAMES, 'an agent'])(
    'answers %s nothing but the refusal of a wrong token, or of no proof',
    async (name) => {
      const shown = name === 'an agent' ? good : callers.get(name);
      for (const method of METHODS) {
        const code = await outcome(rig.enrol.port, method, shown);
        const ours = Object.values(EnrolServiceService).some(({ path }) => path === method.path);
        const expected = ours ? status.UNAUTHENTICATED : status.UNIMPLEMENTED;
        expect([method.path, code]).toEqual([method.path, expected]);
        rig.clock += 60_000; // the refusals count against this address
      }
    },
  );
});

const silent = { info() {}, warn() {}, error() {} };

/** The same guarded service behind TLS that asks for certificates and takes any or none. */
async function listenLeniently(): Promise<typeof lenient> {
  const { chainPem, keyPem } = rig.serving.current();
  const provider: experimental.CertificateProvider = {
    addIdentityCertificateListener: (listener) =>
      process.nextTick(() => listener({ certificate: Buffer.from(chainPem), privateKey: Buffer.from(keyPem) })),
    removeIdentityCertificateListener() {},
    addCaCertificateListener: (listener) =>
      process.nextTick(() => listener({ caCertificate: Buffer.from(rig.authority.caPem) })),
    removeCaCertificateListener() {},
  };
  const server = new Server();
  server.addService(AgentServiceService, rig.sessions.service);
  const how = experimental.createCertificateProviderServerCredentials(provider, provider, false);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', how, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { port, server };
}

/** The code that a call with an empty request ends with; 'open' when it does not end. */
async function outcome(port: number, method: Method, shown: Shown): Promise<number | 'open'> {
  const client = new Client(`127.0.0.1:${port}`, trust(rig, shown), CHANNEL);
  const empty = method.requestDeserialize(Buffer.alloc(0));
  const serialize = method.requestSerialize as (value: unknown) => Buffer;
  try {
    return await new Promise((resolve) => {
      if (method.responseStream) {
        const call = client.makeBidiStreamRequest(method.path, serialize, method.responseDeserialize);
        call.on('error', () => {});
        call.on('data', () => {});
        call.on('status', ({ code }) => resolve(code));
        setTimeout(() => resolve('open'), 1500).unref();
        return;
      }
      client.makeUnaryRequest(
        method.path,
        serialize,
        method.responseDeserialize as (bytes: Buffer) => unknown,
        empty,
        (error: ServiceError | null) => resolve(error === null ? status.OK : error.code),
      );
    });
  } finally {
    client.close();
  }
}
