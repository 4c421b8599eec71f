// Settings and secrets on the command line: KEY=VALUE, and secrets from files or standard input only, since arguments
// are seen by others.
import { AegirError } from '../../shared/error.ts';
import { readNamed } from './read-file.ts';

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
      return [key, readNamed(file, key).replace(/\r?\n$/, '')];
    }),
  );
}

function pair(word: string, flag: string, form: string): [string, string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(word)} for ${flag}: ${form} is needed`);
}
