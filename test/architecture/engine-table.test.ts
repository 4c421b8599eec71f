// The README's table of engines is what the code says. To bring it up to date: AEGIR_WRITE_TABLE=1 npm run unit -- engine-table
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createEngines } from '../../agent/engine/engines.ts';
import { SERVICE_TYPES } from '../../shared/vocabulary.ts';

const README = new URL('../../README.md', import.meta.url).pathname;
const BEGIN = '<!-- engines: made from agent/engine/engines.ts -->\n';
const END = '<!-- /engines -->\n';
const COLUMNS = [
  'php',
  'tls',
  'zones',
  'dnssec',
  'front',
  'network',
  'prepare',
  'check',
  'measure',
  'store',
  'dump',
  'replicate',
] as const;

/** Markdown as Biome formats it: columns padded to their widest cell. */
function table(): string {
  const engines = createEngines();
  const rows = SERVICE_TYPES.flatMap((type) =>
    engines
      .filter((engine) => engine.type === type)
      .map((engine) => [
        `${type}/${engine.name}`,
        ...COLUMNS.map((capability) => (engine.capabilities.has(capability) ? 'yes' : '')),
      ]),
  );
  const head = ['Engine', ...COLUMNS];
  const widths = head.map((title, at) => Math.max(3, title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`;
  return `\n${line(head)}${line(widths.map((width) => '-'.repeat(width)))}${rows.map(line).join('')}\n`;
}

test('the columns are all capabilities that there are', () => {
  const known = new Set<string>(COLUMNS);
  const more = createEngines().flatMap((engine) => [...engine.capabilities].filter((one) => !known.has(one)));
  expect(more).toEqual([]);
});

test("the README's table of engines is up to date", () => {
  const text = readFileSync(README, 'utf8');
  const [from, to] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  expect(from).toBeGreaterThan(BEGIN.length);
  expect(to).toBeGreaterThanOrEqual(from);
  if (process.env['AEGIR_WRITE_TABLE'] === '1') writeFileSync(README, text.slice(0, from) + table() + text.slice(to));
  else expect(text.slice(from, to)).toBe(table());
});
