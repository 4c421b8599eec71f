// Checks of what is asked about the gate and the traffic of a site (see validate.ts).
import type { SetGateRequest, SiteTrafficRequest } from '../shared/gen/aegir/v1/move.ts';
import type { ServiceRef, UpstreamSpec } from '../shared/gen/aegir/v1/spec.ts';
import { checkId, checkService, checkUpstream, present, refuse } from './validate-spec.ts';

const MOST_HELD = 100_000;
const MOST_HOLD_MS = 600_000;
const PHASES = ['hold', 'forward', 'refuse', 'closed'] as const;

export interface GateRequest {
  readonly service: ServiceRef;
  readonly siteId: string;
  readonly phase: (typeof PHASES)[number];
  readonly upstream: UpstreamSpec | undefined;
  readonly maxHeld: number;
  readonly maxHoldMillis: number;
}

export function checkGate(request: SetGateRequest, serverId: string): GateRequest {
  const { siteId, upstream, maxHeld, maxHoldMillis } = request;
  const service = present(request.service, 'service');
  checkService(service, serverId);
  if (service.type !== 'http') refuse('service.type', 'must be http');
  checkId('site', siteId, 'site_id');
  const phase = PHASES.find((each) => each === request.phase);
  if (phase === undefined) return refuse('phase', `is none of ${PHASES.join(', ')}`);
  if (upstream !== undefined) checkUpstream(upstream, 'upstream');
  else if (phase === 'forward') refuse('upstream', 'is missing');
  if (phase !== 'closed') {
    if (maxHeld < 1 || maxHeld > MOST_HELD) refuse('max_held', `is not between 1 and ${MOST_HELD}`);
    if (maxHoldMillis > MOST_HOLD_MS) refuse('max_hold_millis', `is over ${MOST_HOLD_MS}`);
    if (phase === 'hold' && maxHoldMillis < 1) refuse('max_hold_millis', 'is missing');
  }
  return { service, siteId, phase, upstream, maxHeld, maxHoldMillis };
}

export function checkTraffic({ siteId }: SiteTrafficRequest): { readonly siteId: string } {
  checkId('site', siteId, 'site_id');
  return { siteId };
}
