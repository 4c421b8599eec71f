// Settings and secrets on the command line: KEY=VALUE, and secrets from files or standard input only, since arguments
// are seen by others.
import { readFileSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';

/** From KEY=VALUE. */
export function settingsOf(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(words.map((word) => pair(word, '--set', 'KEY=VALUE')));
}

/** From KEY=FILE; - for standard input, once. */
export function secretsOf(words: readonly string[]): Record<string, string> {
  let used = false;
  return Object.fromEntries(
    words.map((word) => {
      const [key, file] = pair(word, '--secret', 'KEY=FILE');
      if (file === '-' && used) {
        throw new AegirError('invalid_argument', 'cannot read two secrets from standard input; give one by a file');
      }
      used ||= file === '-';
      try {
        return [key, readFileSync(file === '-' ? 0 : file, 'utf8').replace(/\r?\n$/, '')];
      } catch (cause) {
        throw new AegirError('invalid_argument', `cannot read ${file} for ${key}: ${whyUnread(cause)}`, { cause });
      }
    }),
  );
}

function pair(word: string, flag: string, form: string): [string, string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(word)} for ${flag}: ${form} is needed`);
}

const UNREAD: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a directory',
};

/** Why a file that a person named was not read. */
function whyUnread(cause: unknown): string {
  const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
  return UNREAD[code] ?? message;
}
