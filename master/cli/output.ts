// How results reach people and programs: table, json or yaml on stdout, everything else on stderr.
import { Document, visit } from 'yaml';
import { byteSize } from '../../shared/byte-size.ts';
import { AegirError } from '../../shared/error.ts';
import { displayNames } from '../../shared/name.ts';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

export interface Column<T> {
  readonly title: string;
  readonly value: (item: T) => string;
}

export interface Out {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly format: Format;
}

/** toJson: ts-proto's, so that JSON has the protos' canonical form (RFC 3339 times, 64-bit numbers as strings). */
export function printList<T>(
  out: Out,
  items: readonly T[],
  toJson: (item: T) => unknown,
  columns: readonly Column<T>[],
  empty: string,
): void {
  if (out.format !== 'table') {
    printData(out, items.map(toJson));
    return;
  }
  if (items.length === 0) {
    out.stderr.write(`${empty}\n`);
    return;
  }
  out.stdout.write(
    renderTable(
      columns.map((column) => column.title),
      items.map((item) => columns.map((column) => column.value(item))),
    ),
  );
}

export function printOne<T>(out: Out, item: T, toJson: (item: T) => unknown, rows: readonly Column<T>[]): void {
  if (out.format !== 'table') {
    printData(out, toJson(item));
    return;
  }
  const shown = rows
    .map((row) => [`${row.title.charAt(0).toUpperCase()}${row.title.slice(1)}:`, row.value(item)])
    .filter(([, value]) => value !== '');
  const width = Math.max(...shown.map(([title]) => cells(title ?? '')));
  for (const [title = '', value = ''] of shown) out.stdout.write(`${pad(title, width)}  ${safe(value)}\n`);
}

export function printData(out: Out, data: unknown): void {
  out.stdout.write(out.format === 'yaml' ? renderYaml(data) : renderJson(data, 2));
}

/** One JSON value and a line's end; what would drive a terminal is escaped, which says the same to a program. */
export function renderJson(data: unknown, indent = 0): string {
  return `${JSON.stringify(data, null, indent).replace(UNSAFE_BUT_LINES, (c) => `\\u${hex(c, 4)}`)}\n`;
}

/** Texts with what would drive a terminal are quoted and escaped: plain YAML would carry it as it is. */
function renderYaml(data: unknown): string {
  const document = new Document(data);
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && node.value.search(UNSAFE) >= 0) node.type = 'QUOTE_DOUBLE';
    },
  });
  return String(document).replace(UNSAFE_BUT_LINES, (c) => `\\u${hex(c, 4)}`);
}

// C0 and C1 controls, and the marks and overrides that make a line read differently from what it is.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const UNSAFE_BUT_LINES = /(?!\n)[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function hex(c: string, digits: number): string {
  return c.charCodeAt(0).toString(16).padStart(digits, '0');
}

export function renderTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(safe));
  const widths = titles.map((title, column) => Math.max(cells(title), ...clean.map((row) => cells(row[column] ?? ''))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === titles.length - 1 ? cell : pad(cell, widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${[titles.map((title) => title.toUpperCase()), ...clean].map(line).join('\n')}\n`;
}

/** The same, of a sentence: host names in it as people read them. */
export function people(text: string): string {
  return safe(displayNames(text));
}

/** Text from elsewhere must not drive the terminal: control characters are shown as what they are. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (c) => (c === '\t' ? ' ' : `\\x${hex(c, 2)}`));
}

function cells(text: string): number {
  // East Asian wide characters take two cells, combining marks none: enough for names of hosts and people.
  let width = 0;
  for (const char of text)
    width += /\p{M}/u.test(char)
      ? 0
      : /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u.test(
            char,
          )
        ? 2
        : 1;
  return width;
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cells(text)));
}

export function formatOf(text: string): Format {
  if ((FORMATS as readonly string[]).includes(text)) return text as Format;
  throw new AegirError('invalid_argument', `cannot print as ${JSON.stringify(text)}: there are ${FORMATS.join(', ')}`);
}

/** For people: 2026-11-23 09:15, in local time; '-' for none. */
export function when(date: Date | undefined): string {
  if (date === undefined) return '-';
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function bytes(amount: bigint): string {
  return byteSize(amount);
}
