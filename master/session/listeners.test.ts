// What the listeners show, and that a new certificate is shown without anybody losing a stream; the end of a master.
import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256Hex } from '../../shared/digest.ts';
import { AegirError } from '../../shared/error.ts';
import { createEnrolListener } from './listeners.ts';
import { dial } from './testing/hand-agent.ts';
import { createRig, DAY_MS, type Rig } from './testing/rig.ts';

let rig: Rig;
let closed = false;

beforeAll(async () => {
  rig = await createRig({}, 61 * DAY_MS); // its certificate is due
});
afterAll(() => (closed ? undefined : rig.close()));

/** The chain that strangers are shown. */
function shown(port: number): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      const leaf = socket.getPeerCertificate(true);
      resolve([leaf.raw, leaf.issuerCertificate.raw].map((raw) => new X509Certificate(raw)));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('a host that joins is shown the authority that its pin names', async () => {
  const [leaf, ca] = await shown(rig.enrol.port);
  const spki = ca?.publicKey.export({ type: 'spki', format: 'der' });
  expect(`sha256:${sha256Hex(spki ?? '')}`).toBe(rig.authority.caPin());
  expect(leaf?.subjectAltName).toBe('URI:aegir://master, IP Address:127.0.0.1');
});

test('a new certificate is shown to new connections; streams that are open stay', async () => {
  const identity = await rig.server();
  const agent = dial(rig, identity);
  await agent.hello();
  const [before] = await shown(rig.enrol.port);
  expect(await rig.serving.refresh()).toBe(true);
  const [after] = await shown(rig.enrol.port);
  expect(after?.serialNumber).not.toBe(before?.serialNumber);
  expect(after?.serialNumber).toBe(new X509Certificate(rig.serving.current().chainPem).serialNumber);
  const asked = rig.sessions.ask(
    identity.serverId,
    { $case: 'diagnose', value: { masterTime: undefined, services: [], hostOnly: false } },
    5000,
  );
  agent.ok((await agent.hear('action')).id);
  await expect(asked).resolves.toBeDefined();
  agent.close();
  const newcomer = dial(rig, await rig.server());
  await newcomer.hello();
  newcomer.close();
});

test('a taken address is said so', async () => {
  const options = {
    address: `127.0.0.1:${rig.enrol.port}`,
    serving: rig.serving,
    service: { enrol() {}, recover() {} },
  };
  const error = await createEnrolListener(options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AegirError);
  expect(String(error)).toMatch(/cannot listen on 127.0.0.1:\d+: .*EADDRINUSE/);
});

test('a master that stops says goodbye, and its orders end', async () => {
  const identity = await rig.server();
  const agent = dial(rig, identity);
  await agent.hello();
  const order = {
    id: 'a',
    attempt: 1,
    generation: 1,
    resource: 'r',
    taskId: 'task-0123456789abcdef',
    step: 0,
    urgent: false,
    expiresAt: rig.now() + 60_000,
    request: { $case: 'diagnose' as const, value: { masterTime: undefined, services: [], hostOnly: false } },
  };
  const { signal } = new AbortController();
  const options = { signal, onEvent() {}, onWaiting() {} };
  const waiting = rig.sessions.perform(identity.serverId, order, options).catch((error) => error.code);
  await agent.hear('action');
  const since = Date.now();
  closed = true;
  await rig.close();
  expect(Date.now() - since).toBeLessThan(3500);
  expect((await agent.hear('goodbye')).reason).toBe('shutdown');
  expect((await agent.status).code).toBe(status.UNAVAILABLE);
  expect(await waiting).toBe('unavailable');
  await expect(rig.sessions.perform(identity.serverId, order, options)).rejects.toMatchObject({ code: 'unavailable' });
  agent.close();
});
