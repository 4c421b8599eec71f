// Numbers from the command line.
import { AegirError } from '../../shared/error.ts';

export function wholeNumber(text: string, what: string): bigint {
  if (/^[0-9]{1,12}$/.test(text)) return BigInt(text);
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} for ${what}: a whole number is needed`);
}
