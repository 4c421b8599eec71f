// How the nats client gathers a large message: it comes in pieces of 16 KiB, and for each doubling the client takes fresh
// memory and copies all. Here it takes enough for our largest one as soon as a message comes in more than one piece.
import { DenoBuffer } from 'nats/lib/nats-base-client/denobuffer.js';
import { MESSAGE_BYTES } from './wire.ts';

interface Growing {
  _buf: Uint8Array;
  _off: number;
  readonly length: number;
  readonly capacity: number;
}

const LARGEST = MESSAGE_BYTES + 16 * 1024;
/** Smaller ones are the client's own lines. */
const PIECE = 8 * 1024;

/** For all connections of this process. Repeatable. */
export function gatherLargeMessages(): void {
  const prototype = DenoBuffer.prototype as unknown as { _grow(this: Growing, bytes: number): number };
  const grow = prototype._grow;
  if (grow.name === gather.name) return;
  prototype._grow = gather;

  function gather(this: Growing, bytes: number): number {
    const { length, capacity } = this;
    if (capacity >= PIECE && length + bytes > capacity && length + bytes <= LARGEST) {
      const roomy = new Uint8Array(LARGEST);
      roomy.set(this._buf.subarray(this._off));
      this._buf = new Uint8Array(roomy.buffer, 0, length);
      this._off = 0;
    }
    return grow.call(this, bytes);
  }
}
