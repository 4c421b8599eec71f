// site-traffic: when a site was last asked for on this server.
import { siteLayout } from '../host/site-layout.ts';
import { lastRequest } from '../usage/last-request.ts';
import type { ActionHandler } from './action.ts';

export function createSiteTraffic(): ActionHandler<'siteTraffic'> {
  return {
    kind: 'siteTraffic',
    label: () => 'site-traffic',
    async run({ siteId }, ctx) {
      const at = await lastRequest(siteLayout(ctx.host.paths, siteId).logs, ctx.signal);
      return { changes: [], traffic: { lastAt: at === undefined ? undefined : new Date(at) } };
    },
  };
}
