import { expect, test } from 'vitest';
import { inWords } from './php-cli.ts';

test.each([
  ['', 'it said nothing'],
  ['one\n  two', 'one two'],
  [
    'Warning: a PHP Fatal error: Uncaught B: it broke in x.php Stack trace: #0',
    'Fatal error: Uncaught B: it broke in x.php Stack trace: #0',
  ],
  ['<style>p{}</style><p>It <b>broke</b>&nbsp;here</p><script>x</script>', 'It broke here'],
])('%j is %j', (output, words) => {
  expect(inWords(output)).toBe(words);
});

test('is bounded', () => {
  expect(inWords(`Fatal error: ${'x'.repeat(10_000)}`).length).toBeLessThan(1000);
  expect(inWords('y'.repeat(10_000)).length).toBeLessThan(1000);
});
