// How the nats client handles a large message. One that comes, comes in pieces of 16 KiB, and for each doubling the client
// takes fresh memory and copies all: here it takes enough for our largest one as soon as a message comes in more than one
// piece. One that goes is copied into a frame. Whatever was copied, or written, is let go of at once: Node reads pieces into
// slabs, one after the other, and a slab goes when all of it was copied.
import { DataBuffer } from 'nats/lib/nats-base-client/databuffer.js';
import { DenoBuffer } from 'nats/lib/nats-base-client/denobuffer.js';
import { Parser } from 'nats/lib/nats-base-client/parser.js';
import { NodeTransport } from 'nats/lib/src/node_transport.js';
import { letGo } from './let-go.ts';
import { MESSAGE_BYTES } from './wire.ts';

interface Growing {
  _buf: Uint8Array;
  _off: number;
  readonly length: number;
  readonly capacity: number;
}

interface Outbound {
  readonly buffers: Uint8Array[];
  readonly byteLength: number;
}

interface Sending {
  send(this: Sending, frame: Uint8Array): void;
  _send(frame: Uint8Array): Promise<void>;
}

interface Parsing {
  parse(this: Parsing, piece: Uint8Array): void;
  readonly msgBuf: DenoBuffer | undefined;
}

/** How much of a slab, from its beginning, went into messages. */
interface Copied {
  readonly slab: ArrayBuffer;
  readonly end: number;
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
  (DataBuffer.prototype as unknown as { pack: typeof pack }).pack = pack;
  (NodeTransport.prototype as unknown as Sending).send = send;
  const parser = Parser.prototype as unknown as Parsing;
  const { parse } = parser;
  const copied = new WeakMap<Parsing, Copied>();
  parser.parse = function (this: Parsing, piece: Uint8Array) {
    const { msgBuf } = this;
    parse.call(this, piece);
    // All of it went into a message that is not whole yet.
    const isCopied = msgBuf !== undefined && this.msgBuf === msgBuf;
    const { byteOffset, byteLength, buffer } = piece;
    const before = copied.get(this);
    const end = byteOffset + byteLength;
    // From its first byte on: what a slab has of others, or of a message that lies in it, is not ours to take.
    const follows = byteOffset === 0 || (before?.slab === buffer && before.end === byteOffset);
    if (!isCopied || !follows || !(buffer instanceof ArrayBuffer)) copied.delete(this);
    else if (end < buffer.byteLength) copied.set(this, { slab: buffer, end });
    else buffer.transfer(0);
  };

  function gather(this: Growing, bytes: number): number {
    const { length, capacity } = this;
    if (capacity >= PIECE && length + bytes > capacity && length + bytes <= LARGEST) {
      const roomy = Buffer.allocUnsafeSlow(LARGEST);
      roomy.set(this._buf.subarray(this._off));
      this._buf = new Uint8Array(roomy.buffer, 0, length);
      this._off = 0;
    }
    return grow.call(this, bytes);
  }
}

/** All that waits becomes one frame. */
function pack(this: Outbound): void {
  const { buffers, byteLength } = this;
  if (buffers.length <= 1) return;
  const frame = Buffer.allocUnsafeSlow(byteLength);
  let at = 0;
  for (const each of buffers.splice(0)) {
    frame.set(each, at);
    at += each.length;
    letGo(each);
  }
  buffers.push(frame);
}

function send(this: Sending, frame: Uint8Array): void {
  // A lost connection is met by the client itself.
  this._send(frame).then(
    () => letGo(frame),
    () => {},
  );
}
