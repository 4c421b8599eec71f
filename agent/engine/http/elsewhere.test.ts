// What a web server hands on does not come back to it: which places are its own, and that every way to hand on asks.
import { expect, test } from 'vitest';
import { ClusterSpec, ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { createFakeHost } from '../../host/fake.ts';
import { contextOf } from '../conformance/interruption.ts';
import { createClusterEngine } from './cluster/engine.ts';
import { requireElsewhere } from './elsewhere.ts';

const host = createFakeHost({ daemons: [] });
const everywhere = { addresses: ['0.0.0.0', '::'], port: 80, tlsPort: 443 };
const atOne = { addresses: ['127.0.1.1', '2001:db8::1'], port: 8080 };
const at = (address: string, port: number, tlsPort = 0) => ({ address, port, tlsPort });

test.each([
  ['an address of the host', everywhere, at('192.0.2.1', 80)],
  ['the same, by its port for HTTPS', everywhere, at('192.0.2.1', 8080, 443)],
  ['the same, written as IPv6', everywhere, at('::ffff:192.0.2.1', 80)],
  ['the loopback', everywhere, at('127.8.0.1', 80)],
  ['that of IPv6', everywhere, at('0:0:0:0:0:0:0:1', 80)],
  ['the unspecified one', everywhere, at('0.0.0.0', 80)],
  ['the one address of its own', atOne, at('127.0.1.1', 8080)],
  ['the same of IPv6', atOne, at('2001:DB8::0:1', 8080)],
])('%s is the web server itself', async (_, daemon, place) => {
  const refused = requireElsewhere(host, daemon, [undefined, at('192.0.2.9', 80), place], 'lead visitors of a.example');
  await expect(refused).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(/^cannot lead visitors of a\.example: .*which is this web server itself/),
  });
});

test.each([
  ['another host', everywhere, at('192.0.2.9', 80, 443)],
  ['another web server of this one', everywhere, at('192.0.2.1', 8080)],
  ['another loopback address', atOne, at('127.0.1.2', 8080)],
  ['another port of its address', atOne, at('127.0.1.1', 8081)],
])('%s is elsewhere', async (_, daemon, place) => {
  await expect(requireElsewhere(host, daemon, [place], 'lead visitors of a.example')).resolves.toBeUndefined();
});

test('a front is not a head of its own', async () => {
  const [daemon] = [{ name: 'haproxy' as const, addresses: ['0.0.0.0'], port: 80, socket: '/run/haproxy.sock' }];
  const ctx = contextOf(createFakeHost({ daemons: [daemon] }));
  const service = ServiceRef.fromPartial({ id: 'svc-0123456789abcdef', instance: 'main' });
  const head = { serviceId: 'svc-0123456789abcde1', address: '192.0.2.1', port: 80, state: 'active', weight: 1 };
  const spec = (part: Partial<typeof head>) =>
    ClusterSpec.fromPartial({ heads: [{ ...head, ...part }], checkMillis: 1000, fall: 3, rise: 2 });
  const plan = (part: Partial<typeof head>) => createClusterEngine().planCluster(service, spec(part), ctx);
  await expect(plan({})).rejects.toThrow(/^cannot lead visitors of main: .*this web server itself/);
  expect(await plan({ state: 'out' })).toHaveLength(1);
  expect(await plan({ port: 8080 })).toHaveLength(1);
});
