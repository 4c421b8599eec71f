// The words that complete a command line, for every place in it.
import { expect, test } from 'vitest';
import { wordsAfter } from './command/completion.ts';
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
