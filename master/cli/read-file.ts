// Files that a person names on the command line.
import { readFileSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';

const UNREAD: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a directory',
};

/** Its text; - is standard input. what: for messages, as "API token". Throws invalid_argument that says why in words. */
export function readNamed(file: string, what: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
    throw new AegirError('invalid_argument', `cannot read ${file} for ${what}: ${UNREAD[code] ?? message}`, { cause });
  }
}
