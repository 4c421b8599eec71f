// Judges a path by an app's rules in the order that app.ts states, as an http engine must: for tests of rules as values.
import type { WebRules } from './app.ts';

export type Verdict = 'denied' | 'php' | 'upload' | 'file or front controller';

const DOTFILE = /\/\.(?!(?<=^\/\.)well-known(?:\/|$))/;
const PHP_SOURCE = /\.(?:php[0-9]?|phtml|phps)$/i;

export function judge(rules: WebRules, path: string): Verdict {
  if (DOTFILE.test(path)) return 'denied';
  if (rules.deny.some(({ pattern, caseless }) => new RegExp(pattern, caseless ? 'i' : '').test(path))) return 'denied';
  const upload = rules.aliases.some(({ prefix }) => path.startsWith(prefix));
  if (upload) return PHP_SOURCE.test(path) ? 'denied' : 'upload';
  if (rules.php?.scripts.some((pattern) => new RegExp(pattern).test(path))) return 'php';
  return PHP_SOURCE.test(path) ? 'denied' : 'file or front controller';
}
