// Whether it is worth a try to compress bytes: pictures, films and archives are packed already, and trying costs more than
// anything else that is done to them. Pure.

const SAMPLES = 8;
/** Samples other than noise that say nothing yet. */
const FEW = 2;
const SAMPLE_BYTES = 512;
/** Fewer are not worth a thought. */
const SMALL = 64 * 1024;
/** Stands in each header of a tar (tar-header.ts). */
const HEADER = 'ustar\u0000';
/** Of two bytes taken at random the same ones this much more often than in noise. */
const FAR_FROM_NOISE = 1.3;

/**
 * What compressing may save. Little: headers between what is noise nearly wherever it is looked at, as between the packed
 * files of an archive.
 */
export function worthOf(bytes: Uint8Array): 'much' | 'little' | 'nothing' {
  if (bytes.length < SMALL) return 'much';
  const stride = Math.floor((bytes.length - SAMPLE_BYTES) / (SAMPLES - 1));
  let worth = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    if (isNoise(bytes, sample * stride)) continue;
    worth += 1;
    if (worth > FEW) return 'much';
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, SMALL).includes(HEADER, 0, 'latin1') ? 'little' : 'nothing';
}

function isNoise(bytes: Uint8Array, from: number): boolean {
  const counts = new Uint32Array(256);
  for (let at = from; at < from + SAMPLE_BYTES; at++)
    counts[bytes[at] as number] = (counts[bytes[at] as number] as number) + 1;
  let pairs = 0;
  for (const count of counts) pairs += count * (count - 1);
  return pairs <= (FAR_FROM_NOISE * SAMPLE_BYTES * (SAMPLE_BYTES - 1)) / 256;
}
