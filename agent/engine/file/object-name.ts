// Names of objects, the same for every file engine: safe as a path, in a URL, a batch file and a shell. Pure.
import { AegirError } from '../../../shared/error.ts';

const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const MAX_PARTS = 4;
/** Unfinished objects lie beside the others under names that no object has. */
const TEMPORARY = /^\.aegir-tmp-([0-9a-z]{1,12})-[0-9a-f]+$/;
const STALE_MS = 24 * 3600 * 1000;

export function isObjectName(text: string): boolean {
  const parts = text.split('/');
  return parts.length <= MAX_PARTS && parts.every((part) => PART.test(part));
}

export function checkObjectName(text: string): string {
  if (isObjectName(text)) return text;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text.slice(0, 200))} as the name of an object: 1 to ${MAX_PARTS} parts between "/" are needed, ` +
      'each of letters, digits, ".", "_" and "-", a letter or digit first',
    { untouched: true },
  );
}

/** The directories of a name, the outermost first, and what is left. */
export function partsOf(name: string): { readonly dirs: readonly string[]; readonly leaf: string } {
  const parts = name.split('/');
  return { dirs: parts.slice(0, -1), leaf: parts.at(-1) ?? name };
}

/** All directories above the names, parents first: a, a/b. */
export function directoriesOf(names: Iterable<string>): readonly string[] {
  const all = new Set<string>();
  for (const name of names) {
    const { dirs } = partsOf(name);
    dirs.forEach((_, index) => {
      all.add(dirs.slice(0, index + 1).join('/'));
    });
  }
  return [...all].sort((a, b) => a.split('/').length - b.split('/').length);
}

/** Whether a directory (a, or a/b) can hold names that begin with prefix. */
export function mayHold(dir: string, prefix: string): boolean {
  return `${dir}/`.startsWith(prefix) || prefix.startsWith(`${dir}/`);
}

export function temporaryName(now: number, random: string): string {
  return `.aegir-tmp-${now.toString(36)}-${random}`;
}

/** Left behind by a crash, more than a day ago. */
export function isStale(name: string, now: number): boolean {
  const at = TEMPORARY.exec(name)?.[1];
  return at !== undefined && now - Number.parseInt(at, 36) > STALE_MS;
}
