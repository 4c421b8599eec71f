// The step that times the mesh between two agents.

import { createHash } from 'node:crypto';
import { byteSize } from '../../../shared/byte-size.ts';
import { timeSpan } from '../../../shared/for-people.ts';
import { PROBE_KIND, probeDigest, probeName } from '../../../shared/grant.ts';
import type { StepHandler } from '../handler.ts';
import { type HandlerDeps, readServer } from '../parts.ts';
import { transfer } from '../transfer.ts';

export function createMeshProbe(deps: HandlerDeps): StepHandler<'mesh.probe'> {
  return {
    kind: 'mesh.probe',
    do: async ({ senderId, receiverId, bytes }, ctx) => {
      // Another content for each attempt: nothing of a former one is there already.
      const seed = createHash('sha256').update(`${ctx.taskId} ${ctx.attempt}`).digest('hex').slice(0, 32);
      const done = await transfer(deps, ctx, {
        ...{ senderId, receiverId, kind: PROBE_KIND, name: probeName(seed, bytes), maxBytes: bytes },
        digest: probeDigest(seed, bytes),
      });
      if ('again' in done) return done.again;
      const { millis, roundTripMicros } = done.facts;
      const perSecond = Math.round((bytes * 1000) / Math.max(1, Number(millis)));
      const [from, to] = [await readServer(deps.store, senderId), await readServer(deps.store, receiverId)];
      const roundTrip = (Number(roundTripMicros) / 1000).toFixed(1);
      const text = `${byteSize(bytes)} from ${from.name} to ${to.name} in ${timeSpan(millis)}: ${byteSize(perSecond)}/s, round trip ${roundTrip} ms`;
      ctx.emit({ $case: 'log', value: { level: 'info', text } });
      return { is: 'done', result: { bytes, millis: Number(millis), roundTripMicros: Number(roundTripMicros) } };
    },
    undo: { none: 'it only looks' },
  };
}
