// site.rebind: what a site relates to, in its record.
import { AegirError } from '../../../shared/error.ts';
import type { SiteBindings } from '../../plan/plan.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';

export function createSiteRebind({ store }: HandlerDeps): StepHandler<'site.rebind'> {
  const bring = (siteId: string, { platformId, bindings, ...more }: SiteBindings) =>
    store.transaction(async (tx) => {
      if ((await tx.sites.get(siteId)) === undefined) return;
      // What the plan saw may have gone since.
      const ids = Object.values(bindings);
      const there = await Promise.all([tx.platforms.get(platformId), ...ids.map((id) => tx.services.get(id))]);
      const missing = [platformId, ...ids].find((_, index) => there[index] === undefined);
      if (missing !== undefined) {
        throw new AegirError('failed_precondition', `cannot rebind the site: ${missing} is not there any more`);
      }
      await tx.sites.update(siteId, { platformId, bindings, ...more });
    });
  return {
    kind: 'site.rebind',
    do: async (args) => {
      await bring(args.siteId, args.to);
      return { is: 'done' };
    },
    undo: async (args) => {
      await bring(args.siteId, args.before);
      return { is: 'done' };
    },
  };
}
