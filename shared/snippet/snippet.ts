// Configuration in a web server's own words that an administrator adds to a site's block: bounds, and that it stays in
// that block. Master and agent both look; whether the words mean anything the web server says.
import { AegirError } from '../error.ts';
import { checkApacheLines } from './apache.ts';
import { checkNginxText } from './nginx.ts';

export const MOST_SNIPPET_BYTES = 16 * 1024;
const MOST_LINE = 4000;

/** Called with the line, from 1. */
export type Refuse = (line: number, why: string) => never;

const CHECKS: Readonly<Record<string, (text: string, refuse: Refuse) => void>> = {
  nginx: checkNginxText,
  apache: checkApacheLines,
};

/** Engines that take snippets. */
export const SNIPPET_ENGINES = Object.keys(CHECKS);

/** As it is kept: line feeds alone, one at the end. Throws invalid_argument with the line that will not do. */
export function checkedSnippet(engine: string, given: string): string {
  const refuse = (why: string): never => {
    throw new AegirError('invalid_argument', `cannot use that snippet: ${why}`);
  };
  const check = Object.hasOwn(CHECKS, engine) ? CHECKS[engine] : undefined;
  if (check === undefined) return refuse(`${engine} takes none; ${SNIPPET_ENGINES.join(' and ')} do`);
  if (Buffer.byteLength(given) > MOST_SNIPPET_BYTES) refuse(`it is larger than ${MOST_SNIPPET_BYTES / 1024} KiB`);
  const text = `${given.replaceAll('\r\n', '\n').replace(/\n+$/, '')}\n`;
  if (text.trim() === '') refuse('there is nothing in it');
  for (const [index, line] of text.split('\n').entries()) {
    if (/(?!\t)\p{Cc}/u.test(line)) refuse(`line ${index + 1} has a control character`);
    if (line.length > MOST_LINE) refuse(`line ${index + 1} has more than ${MOST_LINE} characters`);
  }
  check(text, (line, why) => refuse(`line ${line}: ${why}`));
  return text;
}
