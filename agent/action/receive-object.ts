// receive_object: fetches an object from another agent over the mesh, and says how far it is.
import { byteSize } from '../../shared/byte-size.ts';
import type { ActionHandler } from './action.ts';

export function createReceiveObject(): ActionHandler<'receiveObject'> {
  return {
    kind: 'receiveObject',
    label: () => 'receive-object',
    async run({ grant, senderName }, ctx, tools) {
      const transfer = await tools.transfers.receive(grant, {
        from: senderName,
        signal: ctx.signal,
        onProgress({ bytes, totalBytes, bytesPerSecond }) {
          const rate = bytesPerSecond === 0 ? '' : `, ${byteSize(bytesPerSecond)}/s`;
          ctx.progress(bytes / Math.max(1, totalBytes), `${byteSize(bytes)} of ${byteSize(totalBytes)}${rate}`, {
            ...{ bytes: BigInt(bytes), totalBytes: BigInt(totalBytes), bytesPerSecond: BigInt(bytesPerSecond) },
          });
        },
      });
      return { changes: [], transfer };
    },
  };
}
