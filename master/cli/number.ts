// Numbers from the command line.
import { AegirError } from '../../shared/error.ts';

export function wholeNumber(text: string, what: string): bigint {
  if (/^[0-9]{1,12}$/.test(text)) return BigInt(text);
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} for ${what}: a whole number is needed`);
}

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, k: 1024n, m: 1024n ** 2n, g: 1024n ** 3n, t: 1024n ** 4n };

/** Bytes, or with K, M, G or T for powers of 1024, as PHP writes them. */
export function sizeInBytes(text: string, what: string): bigint {
  const [, digits = '', unit = ''] = /^([0-9]{1,12})([kmgt]?)$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (digits !== '' && factor !== undefined) return BigInt(digits) * factor;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} for ${what}: a size is needed, for example 512M`,
  );
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds, or with m, h or d; off, where it can be that, is 0. */
export function durationInSeconds(text: string, what: string, canBeOff = true): number {
  if (canBeOff && text === 'off') return 0;
  const [, digits = '', unit = ''] = /^([0-9]{1,7})([smhd]?)$/.exec(text) ?? [];
  const factor = SECONDS[unit];
  if (digits !== '' && factor !== undefined) return Number(digits) * factor;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} for ${what}: a time is needed, for example 15m or 1h${canBeOff ? ', or off' : ''}`,
  );
}

/** 90 s, 15 min, 1 h, 2 d. */
export function duration(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`;
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
