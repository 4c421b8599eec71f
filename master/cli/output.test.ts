// What comes over the wire is shown as what it is: it moves no cursor, forges no line, and stays parsable.
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Graph, Plan } from '../../shared/gen/aegir/v1/admin.ts';
import { renderDot, renderTree } from './command/graph.ts';
import { bytes, type Format, type Out, printData, printList, printOne, renderTable, safe, when } from './output.ts';
import { renderPlan } from './plan-view.ts';

const EVIL = [
  '\u001b[2J\u001b[1;1H',
  '\u001b]0;title\u0007',
  '\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007',
  'a\r\nroot  admin',
  '\u009b31m',
  '\u0085next',
  'a\u0000b',
  '\u007f\b\b\b',
  'gpj.\u202eexe',
  '\u2066left\u2069',
  'a\u2028b',
  '\u200f\u200e\u061c',
];
const DRIVES = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

function outOf(format: Format): { out: Out; text: () => string; errors: () => string } {
  const [written, told]: [string[], string[]] = [[], []];
  const stream = (to: string[]) => ({ write: (text: string) => to.push(text) > 0 }) as unknown as NodeJS.WriteStream;
  return {
    out: { stdout: stream(written), stderr: stream(told), format },
    text: () => written.join(''),
    errors: () => told.join(''),
  };
}

interface Row {
  readonly name: string;
}
const COLUMNS = [
  { title: 'name', value: (row: Row) => row.name },
  { title: 'again', value: (row: Row) => row.name },
];

describe.each(EVIL)('%j', (evil) => {
  test('is harmless in tables', () => {
    expect(safe(evil)).not.toMatch(DRIVES);
    const { out, text } = outOf('table');
    printList(out, [{ name: evil }, { name: 'b' }], (row) => row, COLUMNS, '');
    expect(text().split('\n')).toHaveLength(4);
    expect(text().replaceAll('\n', '')).not.toMatch(DRIVES);
    const one = outOf('table');
    printOne(one.out, { name: evil }, (row) => row, COLUMNS);
    expect(one.text().split('\n')).toHaveLength(3);
    expect(one.text().replaceAll('\n', '')).not.toMatch(DRIVES);
  });

  test.each(['json', 'yaml'] as const)('is harmless in %s, and whole', (format) => {
    const { out, text } = outOf(format);
    const data = [{ name: evil, nested: { [`key ${evil}`]: [evil, 'plain'] } }, 'plain'];
    printData(out, data);
    expect(text().replaceAll('\n', '')).not.toMatch(DRIVES);
    expect(format === 'json' ? JSON.parse(text()) : parse(text())).toEqual(data);
  });

  test('is harmless in graphs and plans', () => {
    const node = { id: evil, kind: 'server', name: evil, state: evil, detail: evil };
    const graph: Graph = { nodes: [node], edges: [{ from: evil, to: evil, kind: 'carries"; evil [x=' }] };
    for (const text of [renderTree({ ...graph, edges: [] }), renderDot(graph)])
      expect(text.replaceAll('\n', '')).not.toMatch(DRIVES);
    expect(renderDot(graph).split('\n')).toHaveLength(6);
    const plan = Plan.fromPartial({ summary: evil, warnings: [evil] });
    const step = {
      kind: evil,
      summary: evil,
      server: evil,
      undo: evil,
      noUndoReason: '',
      changes: [evil],
      previewNote: evil,
      refused: false,
    };
    const text = renderPlan({ ...plan, steps: [step] });
    expect(text.replaceAll('\n', '')).not.toMatch(DRIVES);
    expect(text.split('\n')).toHaveLength(7);
  });
});

test('a plan says once from where there is no way back', () => {
  const step = { kind: 'a', server: '', changes: [], previewNote: '', refused: false };
  const steps = [
    { ...step, summary: 'one', undo: 'take it back', noUndoReason: '' },
    { ...step, summary: 'two', undo: '', noUndoReason: 'from here on there is only forward' },
    { ...step, summary: 'of xn--mnchen-3ya.de', undo: '', noUndoReason: 'it only looks' },
  ];
  const plan = Plan.fromPartial({ summary: 's', pointOfNoReturn: 1, steps });
  expect(renderPlan(plan).split('\n')).toEqual([
    'Plan: s',
    ...['   1. one', '        undo: take it back'],
    ...['   2. two', '        undo: none, from here on it only goes forward'],
    ...['   3. of münchen.de', '        undo: none, it only looks', ''],
  ]);
});

test('names of many scripts stay as they are', () => {
  for (const name of ['bücher.example', '例え.jp', 'ελληνικά', 'Žluťoučký kůň', '🐎']) expect(safe(name)).toBe(name);
});

test('columns line up, wide and combining characters too', () => {
  const table = renderTable(
    ['a', 'b'],
    [
      ['x', '1'],
      ['例え', '2'],
      ['e\u0301e\u0301e\u0301e\u0301', '3'],
      ['', '4'],
    ],
  );
  expect(table).toBe('A     B\nx     1\n例え  2\ne\u0301e\u0301e\u0301e\u0301  3\n      4\n');
});

test('an empty list is a word to people and an empty list to programs', () => {
  const table = outOf('table');
  printList(table.out, [], (row) => row, COLUMNS, 'None yet.');
  expect([table.text(), table.errors()]).toEqual(['', 'None yet.\n']);
  const json = outOf('json');
  printList(json.out, [], (row) => row, COLUMNS, 'None yet.');
  expect([json.text(), json.errors()]).toEqual(['[]\n', '']);
});

test('sizes and times', () => {
  expect([0n, 1023n, 1024n, 1536n, 104_857_600n, 2n ** 62n].map(bytes)).toEqual([
    ...['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '100 MiB', '4096 PiB'],
  ]);
  expect(when(undefined)).toBe('-');
  expect(when(new Date(2026, 10, 3, 4, 5))).toBe('2026-11-03 04:05');
});
