// Numbers from the command line.
import { AegirError } from '../../shared/error.ts';

export function wholeNumber(text: string, what: string): bigint {
  if (/^[0-9]{1,12}$/.test(text)) return BigInt(text);
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} for ${what}: a whole number is needed`);
}

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, k: 1024n, m: 1024n ** 2n, g: 1024n ** 3n };

/** Bytes, or with K, M or G for powers of 1024, as PHP writes them. */
export function sizeInBytes(text: string, what: string): bigint {
  const [, digits = '', unit = ''] = /^([0-9]{1,12})([kmg]?)$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (digits !== '' && factor !== undefined) return BigInt(digits) * factor;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} for ${what}: a size is needed, for example 512M`,
  );
}
