// Whether text in nginx's words stays in the block that it is put into. Reads as nginx itself does
// (ngx_conf_read_token), so that what looks like a brace in a string is none, and the other way round. Pure.
import { checkNginxDirective } from './nginx-directives.ts';
import type { Refuse } from './snippet.ts';

/** As nginx has it: less than what regular expressions take for space. */
const SPACE = /[ \t\r\n]/;
const BREAK = /[ \t\r\n;{]/;

interface Token {
  /** What the word is once quotes and backslashes are read; undefined for what ends a directive or a block. */
  readonly word: string | undefined;
  readonly end: ';' | '{' | '}' | undefined;
  readonly line: number;
}

export function checkNginxText(text: string, refuse: Refuse): void {
  const open: { readonly name: string; readonly line: number }[] = [];
  let words: string[] = [];
  let since = 1;
  for (const { word, end, line } of tokens(text, refuse)) {
    if (word !== undefined) {
      if (words.length === 0) since = line;
      words.push(word);
    }
    if (end === undefined) continue;
    if (end === '}') {
      if (words.length > 0) refuse(line, 'a directive before "}" has no ";"');
      if (open.pop() === undefined) refuse(line, '"}" without "{": it would end the block of the site');
    } else {
      if (words.length === 0) refuse(line, `"${end}" without a directive before it`);
      checkNginxDirective(words, open.at(-1)?.name, since, refuse);
      if (end === '{') open.push({ name: words[0] ?? '', line });
    }
    words = [];
  }
  if (words.length > 0) refuse(since, 'the directive has no ";" at its end');
  const [unclosed] = open.slice(-1);
  if (unclosed !== undefined) refuse(unclosed.line, '"{" without "}": it would take in what follows');
}

function* tokens(text: string, refuse: Refuse): Generator<Token> {
  let line = 1;
  let at = 0;
  const ends = (char: string): char is ';' | '{' => char === ';' || char === '{';
  while (at < text.length) {
    const char = text.charAt(at);
    if (SPACE.test(char)) {
      if (char === '\n') line += 1;
      at += 1;
    } else if (char === '#') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (ends(char) || char === '}') {
      yield { word: undefined, end: char, line };
      at += 1;
    } else if (char === '"' || char === "'") {
      const start = line;
      let close = at + 1;
      while (close < text.length && text.charAt(close) !== char) {
        if (text.charAt(close) === '\\') close += 1;
        if (text.charAt(close) === '\n') line += 1;
        close += 1;
      }
      if (close >= text.length) refuse(start, `a string that begins with ${char} has no end`);
      const next = text.charAt(close + 1);
      if (next !== ')' && !BREAK.test(next)) refuse(line, `"${next}" right behind a string`);
      yield { word: unescaped(text.slice(at + 1, close)), end: undefined, line: start };
      at = close + 1;
    } else {
      const start = line;
      const from = at;
      let variable = false;
      while (at < text.length) {
        const inside = text.charAt(at);
        if (inside === '{' && variable) {
          // As in ${name}.
        } else if (BREAK.test(inside)) {
          break;
        } else {
          variable = inside === '$';
          if (inside === '\\') at += 1;
          if (text.charAt(at) === '\n') line += 1;
        }
        at += 1;
      }
      yield { word: unescaped(text.slice(from, at)), end: undefined, line: start };
    }
  }
}

function unescaped(text: string): string {
  return text.replace(/\\(["'\\trn])/g, (_, char: string) => ({ t: '\t', r: '\r', n: '\n' })[char] ?? char);
}
