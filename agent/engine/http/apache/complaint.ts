// Reads what `apache2 -t` says. Pure.
import type { TestResult } from '../config/complaint.ts';

const STAMP = /^\[[^\]]*\] \[[^\]]*\] \[pid [^\]]*\] /;
const LOCATED = /^AH\d{5}: Syntax error on line (\d+) of (\/.+):$/;
/** The rest of a complaint that an Include has passed on, and what only says that there was one. */
const AROUND =
  /^AH\d{5}: (?:Syntax error on line \d+ of .*: Syntax error on line|Configuration check failed|Configuration Failed)|^Action '.*' failed|^The Apache error log may have more information/;
const NESTED = /Syntax error on line (\d+) of (\/[^:]+): (.*)$/;
const WARNING = /^AH\d{5}: (.*)$/;
/** Every Apache without a ServerName of its own says it; sites do not care. */
const UNNAMED = 'AH00558';

export function readApacheTest(code: number, output: string): TestResult {
  const lines = output
    .split('\n')
    .map((line) => line.replace(STAMP, '').trim())
    .filter((line) => line !== '' && line !== 'Syntax OK');
  if (code === 0) {
    const said = lines.filter((line) => !line.startsWith(UNNAMED)).flatMap((line) => WARNING.exec(line)?.[1] ?? []);
    return { complaint: undefined, warnings: said };
  }
  const at = lines.findIndex((line) => LOCATED.test(line));
  if (at >= 0) {
    const [, line, file] = LOCATED.exec(lines[at] ?? '') ?? [];
    const message = lines[at + 1] ?? 'syntax error';
    return { complaint: { message, file, line: Number(line) }, warnings: [] };
  }
  for (const each of lines) {
    const [, line, file, message] = NESTED.exec(each) ?? [];
    if (message !== undefined) return { complaint: { message, file, line: Number(line) }, warnings: [] };
  }
  const grave = lines.filter((line) => !AROUND.test(line) && !line.startsWith(UNNAMED));
  const message = grave[0] ?? lines[0] ?? `it ended with code ${code}`;
  return { complaint: { message, file: undefined, line: undefined }, warnings: [] };
}
