// Asks a program for its version: once, for as long as its file is the same. Agents look at their hosts again and again,
// and each daemon takes a tenth of a second of processor to say what it said before.
import { stat } from 'node:fs/promises';
import type { Host } from './host.ts';

const TIMEOUT_MS = 10_000;
const MOST_PROGRAMS = 100;

/** What programs said, by their argument vectors, while their files were these. */
export type Said = Map<string, { readonly file: string; readonly text: string }>;

/**
 * The first group of form in what the program prints, of 64 characters at most; empty when it says something else.
 * argv[0]: an absolute path, or a name, which is asked each time.
 */
export async function versionOf(host: Host, argv: readonly [string, ...string[]], form: RegExp): Promise<string> {
  return (form.exec(await wordsOf(host, argv))?.[1] ?? '').slice(0, 64);
}

async function wordsOf(host: Host, argv: readonly [string, ...string[]]): Promise<string> {
  const { said } = host;
  const key = argv.join('\0');
  const file = await fileOf(argv[0]);
  const known = said.get(key);
  if (known !== undefined && known.file === file) return known.text;
  const { code, stdout, stderr } = await host.run({ argv, timeoutMs: TIMEOUT_MS, maxOutput: 64 * 1024 });
  const text = `${stdout}\n${stderr}`;
  if (said.size >= MOST_PROGRAMS) said.clear();
  if (file !== '' && code === 0) said.set(key, { file, text });
  return text;
}

/** What is another when the file is; empty when there is none, or only a name. */
async function fileOf(program: string): Promise<string> {
  if (!program.startsWith('/')) return '';
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(program, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch {
    return '';
  }
}
