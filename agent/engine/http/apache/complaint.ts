// Reads what `apache2 -t` says. Pure.
import type { Complaint, TestResult } from '../config/complaint.ts';

const STAMP = /^(?:\[[^\]]*\] )+/;
/** The error of the system that comes before a message, and Apache's number of the message. */
const NUMBERED = /^(?:\([^)]*\)[^:]*: )?(AH\d{5}): (.*)$/;
/** The message stands in the next line. */
const LOCATED = /^AH\d{5}: Syntax error on line (\d+) of (\/.+):$/;
/** The message follows, after all the files that include the one where it is. */
const INCLUDED = /^.*Syntax error on line (\d+) of (\/[^:]+): (.*)$/;
const DEFINED = / defined at (\/.+):(\d+)$/;
/** What every Apache without a ServerName of its own says, and that a check failed, which is known. */
const IDLE = new Set(['AH00558', 'AH00014', 'AH00016']);

export function readApacheTest(code: number, output: string): TestResult {
  const lines = output
    .split('\n')
    .map((line) => line.replace(STAMP, '').trim())
    .filter((line) => line !== '' && line !== 'Syntax OK' && !IDLE.has(NUMBERED.exec(line)?.[1] ?? ''));
  if (code !== 0) return { complaint: complaintIn(lines, code), warnings: [] };
  return { complaint: undefined, warnings: lines.flatMap((line) => NUMBERED.exec(line)?.[2] ?? []) };
}

function complaintIn(lines: readonly string[], code: number): Complaint {
  for (const [index, text] of lines.entries()) {
    const [, at, path] = LOCATED.exec(text) ?? [];
    if (path !== undefined) return { message: lines[index + 1] ?? 'syntax error', file: path, line: Number(at) };
    const [, line, file, message] = INCLUDED.exec(text) ?? [];
    if (message !== undefined) return { message: message.replace(/^\/\S+:\d+: /, ''), file, line: Number(line) };
  }
  for (const text of lines) {
    const [, file, line] = DEFINED.exec(text) ?? [];
    if (file !== undefined) return { message: NUMBERED.exec(text)?.[2] ?? text, file, line: Number(line) };
  }
  const message = lines.map((line) => NUMBERED.exec(line)?.[2] ?? line)[0] ?? `it ended with code ${code}`;
  return { message, file: undefined, line: undefined };
}
