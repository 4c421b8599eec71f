// Whether lines in Apache's words stay in the block that they are put into. Apache reads a line at a time; what would
// make two lines one, or hide the name of a directive, is refused and not read cleverly. Pure.
import { checkApacheDirective } from './apache-directives.ts';
import type { Refuse } from './snippet.ts';

export function checkApacheLines(text: string, refuse: Refuse): void {
  const open: { readonly name: string; readonly line: number }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const number = index + 1;
    const line = raw.replace(/^[ \t]+|[ \t]+$/g, '');
    if (line.endsWith('\\')) refuse(number, 'a backslash at its end; write it in one line');
    if (line === '' || line.startsWith('#')) continue;
    const [, closes] = /^<\/([A-Za-z][A-Za-z0-9]*)>$/.exec(line) ?? [];
    const [, opens] = /^<([A-Za-z][A-Za-z0-9]*)(?:[ \t].*)?>$/.exec(line) ?? [];
    const [, directive] = /^([A-Za-z][A-Za-z0-9_]*)(?:[ \t]|$)/.exec(line) ?? [];
    const name = closes ?? opens ?? directive;
    if (name === undefined) {
      refuse(number, 'it begins with no directive, <Section> or </Section>');
      continue;
    }
    checkApacheDirective(name, directive === undefined, line, number, refuse);
    if (/\s["']?\|/.test(line)) refuse(number, 'a program behind "|" is not for snippets');
    if (opens !== undefined) open.push({ name: opens, line: number });
    if (closes === undefined) continue;
    const last = open.pop();
    if (last?.name.toLowerCase() !== closes.toLowerCase()) {
      refuse(
        number,
        last === undefined ? `</${closes}> ends nothing that began here` : `<${last.name}> has no end yet`,
      );
    }
  }
  const [unclosed] = open.slice(-1);
  if (unclosed !== undefined) refuse(unclosed.line, `<${unclosed.name}> has no end: it would take in what follows`);
}
