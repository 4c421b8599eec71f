// The secrets of a site as its own settings hold them, to keep them out of what is told of a run: the agent keeps none
// itself. Pure but for reading.
import type { Host } from '../host/host.ts';

const MOST_BYTES = 256 * 1024;
/** A name that promises a secret, then a PHP string: define('DB_PASSWORD', '…'), 'password' => '…', $salt = '…'. */
const SECRET =
  /(?:pass|salt|secret|token|[a-z]_key\b|api_?key)\w*['"]?\s*\]?\s*(?:,|=>|=)\s*'((?:[^'\\]|\\[\s\S])*)'/gi;

export async function secretsIn(files: readonly string[], host: Host): Promise<readonly string[]> {
  const texts = await Promise.all(files.map((file) => host.files.read(file)));
  return texts.flatMap((text) => (text === undefined ? [] : phpSecrets(text.slice(0, MOST_BYTES))));
}

export function phpSecrets(text: string): readonly string[] {
  return [...text.matchAll(SECRET)].map(([, value = '']) => value.replace(/\\([\\'])/g, '$1'));
}
