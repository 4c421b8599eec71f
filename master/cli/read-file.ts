// Files that a person names on the command line.
import { readFileSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';

const UNREAD: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a directory',
};

const UNWRITTEN: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such directory',
  ENOTDIR: 'there is no such directory',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the file system there is read-only',
  EISDIR: 'it is a directory',
  ENOSPC: 'the disk is full',
};

/** What came of writing a file, in words, when it was the file; anything else as it is. */
export function unwritten(file: string, thrown: unknown): unknown {
  const { code = '', message = '', syscall } = thrown as NodeJS.ErrnoException;
  if (thrown instanceof AegirError || syscall === undefined) return thrown;
  return new AegirError('invalid_argument', `cannot write ${file}: ${UNWRITTEN[code] ?? message}`, { cause: thrown });
}

/** Its text; - is standard input. what: for messages, as "API token". Throws invalid_argument that says why in words. */
export function readNamed(file: string, what: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
    throw new AegirError('invalid_argument', `cannot read ${file} for ${what}: ${UNREAD[code] ?? message}`, { cause });
  }
}
