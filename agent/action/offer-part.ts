// offer_part: opens a part of a backup that is kept here for who shows a grant for it.
import type { ActionHandler } from './action.ts';

export function createOfferPart(): ActionHandler<'offerPart'> {
  return {
    kind: 'offerPart',
    label: () => 'offer-part',
    async run(request, ctx, { stores }) {
      await stores.locks.shared(request.service.id, ctx.signal, () => stores.offers.offer(request, ctx.signal));
      return { changes: [] };
    },
  };
}
