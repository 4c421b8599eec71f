// What the agent takes for an order to a gate, and what it refuses.
import { describe, expect, it } from 'vitest';
import { SetGateRequest } from '../shared/gen/aegir/v1/move.ts';
import { SERVER_ID, SITE_ID, serviceRef } from './testing/requests.ts';
import { checkGate, checkTraffic } from './validate-gate.ts';

const upstream = { address: '192.0.2.7', port: 80, tlsPort: 443 };
const request = (part: Partial<SetGateRequest>) =>
  SetGateRequest.fromPartial({
    ...{ service: serviceRef({ type: 'http', engine: 'nginx' }), siteId: SITE_ID, phase: 'hold' },
    ...{ maxHeld: 100, maxHoldMillis: 60_000, ...part },
  });

describe('an order to a gate', () => {
  it.each<Partial<SetGateRequest>>([
    {},
    { maxHeld: 100_000, maxHoldMillis: 600_000 },
    { phase: 'forward', upstream },
    { phase: 'forward', upstream: { address: '2001:db8::1', port: 8080, tlsPort: 0 } },
    { phase: 'refuse', maxHoldMillis: 0 },
    { phase: 'closed', maxHeld: 0, maxHoldMillis: 0 },
  ])('is taken: %j', (part) => {
    expect(checkGate(request(part), SERVER_ID).phase).toBe(part.phase ?? 'hold');
  });

  it.each<readonly [field: string, Partial<SetGateRequest>]>([
    ['service', { service: undefined }],
    ['service.type', { service: serviceRef() }],
    ['site_id', { siteId: 'site-../x' }],
    ['phase', { phase: 'open' }],
    ['max_held', { maxHeld: 0 }],
    ['max_held', { maxHeld: 100_001 }],
    ['max_hold_millis', { maxHoldMillis: 0 }],
    ['max_hold_millis', { maxHoldMillis: 600_001 }],
    ['upstream', { phase: 'forward' }],
    ['upstream.address', { phase: 'forward', upstream: { ...upstream, address: 'example.org' } }],
    ['upstream.address', { phase: 'forward', upstream: { ...upstream, address: 'fe80::1%eth0' } }],
    ['upstream.port', { phase: 'forward', upstream: { ...upstream, port: 0 } }],
    ['upstream.tls_port', { phase: 'forward', upstream: { ...upstream, tlsPort: 65_536 } }],
  ])('is refused for its %s: %j', (field, part) => {
    expect(() => checkGate(request(part), SERVER_ID)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(`${field} `) }),
    );
  });

  it('a question for traffic names a site', () => {
    expect(checkTraffic({ siteId: SITE_ID })).toEqual({ siteId: SITE_ID });
    expect(() => checkTraffic({ siteId: '../x' })).toThrow(/site_id/);
  });
});
