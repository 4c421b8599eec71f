// Whether it is worth a try to compress bytes: pictures, films and archives are packed already, and trying costs more than
// anything else that is done to them. Pure.

const SAMPLES = 8;
const SAMPLE_BYTES = 512;
/** Fewer are not worth a thought. */
const SMALL = 64 * 1024;
/** Of two bytes taken at random the same ones this much more often than in noise. */
const FAR_FROM_NOISE = 1.3;

/** False for what looks like noise wherever it is looked at. */
export function isCompressible(bytes: Uint8Array): boolean {
  if (bytes.length < SMALL) return true;
  const counts = new Uint32Array(256);
  const stride = Math.floor((bytes.length - SAMPLE_BYTES) / (SAMPLES - 1));
  for (let sample = 0; sample < SAMPLES; sample++) {
    const end = sample * stride + SAMPLE_BYTES;
    for (let at = end - SAMPLE_BYTES; at < end; at++)
      counts[bytes[at] as number] = (counts[bytes[at] as number] as number) + 1;
  }
  let pairs = 0;
  for (const count of counts) pairs += count * (count - 1);
  const all = SAMPLES * SAMPLE_BYTES;
  return pairs > (FAR_FROM_NOISE * all * (all - 1)) / 256;
}
