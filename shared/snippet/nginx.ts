// Whether text in nginx's words stays in the block that it is put into. Reads as nginx itself does
// (ngx_conf_read_token), so that what looks like a brace in a string is none, and the other way round. Pure.
import type { Refuse } from './snippet.ts';

/** They load, run or write what is not the site's, as root, or are Aegir's to say. */
const REFUSED =
  /^(?:include|load_module|access_log|error_log|listen|server_name|ssl_(?:certificate|certificate_key|password_file|engine|dhparam)|.*_temp_path|perl.*|js_.*|.*_by_lua.*|lua_.*|passenger.*|server|http)$/;

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
  const open: number[] = [];
  let words = 0;
  let since = 1;
  for (const { word, end, line } of tokens(text, refuse)) {
    if (word !== undefined) {
      if (words === 0) {
        since = line;
        if (REFUSED.test(word)) refuse(line, `"${word}" is not for snippets`);
      }
      words += 1;
    }
    if (end === undefined) continue;
    if (end === '}') {
      if (words > 0) refuse(line, 'a directive before "}" has no ";"');
      if (open.pop() === undefined) refuse(line, '"}" without "{": it would end the block of the site');
    } else {
      if (words === 0) refuse(line, `"${end}" without a directive before it`);
      if (end === '{') open.push(line);
    }
    words = 0;
  }
  if (words > 0) refuse(since, 'the directive has no ";" at its end');
  const [unclosed] = open.slice(-1);
  if (unclosed !== undefined) refuse(unclosed, '"{" without "}": it would take in what follows');
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
