// Reads what `nginx -t` says. Pure.
import type { TestResult } from '../config/complaint.ts';

// Before nginx has opened its error log it writes the first form, after that the second.
const LINE = /^(?:nginx: \[(\w+)\]|\d{4}\/\d\d\/\d\d [\d:]+ \[(\w+)\] \d+#\d+:) (.*)$/;
const GRAVE = new Set(['emerg', 'alert', 'crit', 'error']);
const LOCATED = /^(.*) in (\/.+):(\d+)$/;
const CONFLICT = /^conflicting server name "([^"]*)" on /;

export function readNginxTest(code: number, output: string): TestResult {
  const lines = output.split('\n').map((line) => line.trim());
  const said = lines.flatMap((line) => {
    const [, before, after, text = ''] = LINE.exec(line) ?? [];
    const level = before ?? after;
    return level === undefined ? [] : [{ level, text }];
  });
  const warnings = said.flatMap(({ level, text }) => (level === 'warn' ? [text] : []));
  if (code === 0) return { complaint: undefined, warnings };
  const grave = said.flatMap(({ level, text }) => (GRAVE.has(level) ? [text] : []));
  const text = grave[0] ?? lines.filter((line) => line !== '').at(-1) ?? `it ended with code ${code}`;
  const [, message, file, line] = LOCATED.exec(text) ?? [];
  return {
    complaint: { message: message ?? text, file, line: line === undefined ? undefined : Number(line) },
    warnings,
  };
}

/** Names that two virtual hosts claim; nginx only warns and ignores the later one. */
export function conflictingNames(warnings: readonly string[]): readonly string[] {
  return [...new Set(warnings.flatMap((warning) => CONFLICT.exec(warning)?.[1] ?? []))];
}
