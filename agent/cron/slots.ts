// When the cron of a site is due: at times that follow from its id, so that the sites of a host are spread over the
// interval and a restart changes nothing. Pure.
import { createHash } from 'node:crypto';

/** The last such time at or before `at`, ms since 1970. */
export function slotUntil(siteId: string, intervalMs: number, at: number): number {
  const shift = createHash('sha256').update(siteId).digest().readUIntBE(0, 6) % intervalMs;
  return Math.floor((at - shift) / intervalMs) * intervalMs + shift;
}

/** The first one after `at`. */
export function slotAfter(siteId: string, intervalMs: number, at: number): number {
  return slotUntil(siteId, intervalMs, at) + intervalMs;
}
