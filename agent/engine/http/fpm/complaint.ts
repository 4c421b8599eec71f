// Reads what `php-fpm -t` says. Pure.
import type { TestResult } from '../config/complaint.ts';

const STAMP = /^\[[^\]]*\] /;
const LOCATED = /^\[(\/[^\]]+):(\d+)\] (.*)$/;
const WARNING = /^WARNING: /;
const GRAVE = /^(?:ERROR|ALERT): /;

/** The first grave line is the cause; those after it only say that reading failed. */
export function readFpmTest(code: number, output: string): TestResult {
  const lines = output
    .split('\n')
    .map((line) => line.replace(STAMP, '').trim())
    .filter((line) => line !== '');
  const warnings = lines.filter((line) => WARNING.test(line)).map((line) => line.replace(WARNING, ''));
  if (code === 0) return { complaint: undefined, warnings };
  const first = lines.find((line) => GRAVE.test(line)) ?? lines.at(-1) ?? `it ended with code ${code}`;
  const text = first.replace(GRAVE, '');
  const [, file, line, message] = LOCATED.exec(text) ?? [];
  const located = { message: message ?? text, file, line: line === undefined ? undefined : Number(line) };
  return { complaint: located, warnings };
}
