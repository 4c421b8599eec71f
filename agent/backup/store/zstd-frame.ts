// What a zstd frame says of itself (RFC 8878, 3.1.1). Pure.

const MAGIC = 0xfd2fb528;

/** Bytes of the content; undefined when the frame does not say, or is none. */
export function frameSize(frame: Uint8Array): number | undefined {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length < 14 || bytes.readUInt32LE(0) !== MAGIC) return undefined;
  const descriptor = bytes[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (single ? 0 : 1) + dictionary;
  switch (descriptor >> 6) {
    case 0:
      return single ? bytes[at] : undefined;
    case 1:
      return bytes.readUInt16LE(at) + 256;
    case 2:
      return bytes.readUInt32LE(at);
    default:
      return bytes.length < at + 8 ? undefined : Number(bytes.readBigUInt64LE(at));
  }
}
