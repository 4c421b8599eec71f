// One program's output as another one's input.
import { spawn } from 'node:child_process';

/** Answers how many bytes passed. */
export async function piped(from: readonly string[], to: readonly string[]): Promise<number> {
  const [first, second] = [from, to].map(([program = '', ...args], i) =>
    spawn(program, args, { stdio: [i === 0 ? 'ignore' : 'pipe', i === 0 ? 'pipe' : 'ignore', 'inherit'] }),
  );
  if (first?.stdout == null || second?.stdin == null) throw new Error('cannot start the pipe');
  let bytes = 0;
  first.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  first.stdout.pipe(second.stdin);
  const code = await new Promise((resolve) => second.once('exit', resolve));
  if (code !== 0) throw new Error(`${to.join(' ')}: status ${String(code)}`);
  return bytes;
}
