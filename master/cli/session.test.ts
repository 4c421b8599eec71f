// Questions at a terminal: what Ctrl-C, and a terminal that goes, come to.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createCli } from './session.ts';

function atTerminal() {
  const stream = () => Object.assign(new PassThrough(), { isTTY: true });
  const [stdin, stderr] = [stream(), stream()];
  stderr.resume();
  return { stdin, cli: createCli({}, stdin as never, stderr as never, stderr as never) };
}

test.each([
  ['Ctrl-C', '\u0003'],
  ['the end of the terminal', undefined],
  ['no', 'n\r'],
] as const)('%s at a question does nothing', async (_, typed) => {
  const { stdin, cli } = atTerminal();
  const asked = cli.confirm('Delete it?', false);
  if (typed === undefined) stdin.end();
  else stdin.write(typed);
  await expect(asked).rejects.toMatchObject({ code: 'cancelled', message: 'nothing was done' });
});

test('yes goes on', async () => {
  const { stdin, cli } = atTerminal();
  const asked = cli.confirm('Delete it?', false);
  stdin.write('y\r');
  await asked;
});
