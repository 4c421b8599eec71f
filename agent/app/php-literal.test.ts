import { expect, test } from 'vitest';
import { phpDefine, phpString } from './php-literal.ts';

test.each([
  ['', "''"],
  ['plain', "'plain'"],
  ["it's", "'it\\'s'"],
  ['ends in \\', "'ends in \\\\'"],
  ["\\'", "'\\\\\\''"],
  ["'); system('id'); //", "'\\'); system(\\'id\\'); //'"],
  ['$x {$y} ?> <?php `id`', "'$x {$y} ?> <?php `id`'"],
  ['two\nlines', "'two\nlines'"],
])('%j is %s', (text, literal) => {
  expect(phpString(text)).toBe(literal);
});

test('constants keep their types', () => {
  expect(phpDefine('A', "b'c")).toBe("define('A', 'b\\'c');\n");
  expect(phpDefine('A', 3306)).toBe("define('A', 3306);\n");
  expect(phpDefine('A', false)).toBe("define('A', false);\n");
});
