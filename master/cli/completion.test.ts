// The words that complete a command line, for every place in it.
import { expect, test } from 'vitest';
import { wordsAfter } from './command/completion.ts';
import { nameAfter } from './complete-names.ts';
import { createProgram } from './program.ts';
import { createCli } from './session.ts';

const program = createProgram(createCli({}, process.stdin, process.stdout, process.stderr), '0');

test.each<readonly [string, readonly string[], readonly string[]]>([
  ['', ['server', 'site', 'task', 'graph', 'completion', '--output', '--context'], ['__words', '--plan']],
  ['site', ['install', 'delete', 'login', '--output'], ['accept', 'site']],
  ['site install', ['--platform', '--admin-mail', '--plan', '--no-wait'], ['install']],
  ['site delete example.org', ['--yes', '--key'], ['--platform']],
  ['-o', ['json', 'table', 'yaml'], ['site']],
  ['site list --output', ['json', 'table', 'yaml'], ['--client']],
  ['site --help', ['install'], []],
  ['unknown', ['site'], []],
])('after "aegir %s"', (line, there, not) => {
  const words = wordsAfter(program, line.split(' ').filter(Boolean));
  expect(words).toEqual(expect.arrayContaining([...there]));
  for (const word of not) expect(words).not.toContain(word);
  expect(words).toHaveLength(new Set(words).size);
});

test.each([
  ['', undefined],
  ['site', undefined],
  ['site verify', 'site'],
  ['site verify -v', 'site'],
  ['site verify --key k', 'site'],
  ['site verify a.example', undefined],
  ['site install', undefined],
  ['site install a.example --platform', 'platform'],
  ['site install a.example --db', 'service'],
  ['site list --client', 'client'],
  ['-o json server accept', 'server'],
  ['task watch', 'task'],
  ['token revoke', 'token'],
  ['service enable', 'service'],
  ['context use', 'context'],
  ['context add', undefined],
  ['--context', 'context'],
  ['graph', undefined],
] as const)('after "aegir %s" comes the name of a %s', (line, kind) => {
  expect(nameAfter(program, line.split(' ').filter(Boolean))).toBe(kind);
});
