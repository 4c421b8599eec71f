import { expect, test } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import type { StreamCommand } from './host.ts';
import { processFacts } from './proc.ts';
import { ourselves } from './process.ts';
import { createStream } from './stream.ts';
import { waitUntil } from './wait.ts';

const base = createStream(async () => ourselves());
const stream = (command: Omit<StreamCommand, 'failed'>): AsyncIterable<Uint8Array> =>
  base({ ...command, failed: ({ code, stderr }) => new AegirError('internal', `${code}: ${stderr}`) });
const node = (code: string): StreamCommand['argv'] => [process.execPath, '-e', code];
const size = async (chunks: AsyncIterable<Uint8Array>): Promise<number> => {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
};
async function* repeated(times: number, bytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < times; n++) yield Buffer.alloc(bytes, 120);
}
const isGone = async (pid: number): Promise<boolean> => [undefined, 'Z'].includes((await processFacts(pid))?.state);

test('input goes through the program to the output, more than any pipe holds', async () => {
  expect(await size(stream({ argv: ['cat'], input: repeated(300) }))).toBe(300 * 65_536);
});

test('who reads slowly holds the program and its input up', async () => {
  let given = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of repeated(2000)) {
      given += chunk.length;
      yield chunk;
    }
  }
  let seen = 0;
  for await (const chunk of stream({ argv: ['cat'], input: counted() })) {
    seen += chunk.length;
    if (seen > 20 * 1024 * 1024) break;
    if (seen < 4 * 1024 * 1024) await new Promise(setImmediate);
    expect(given - seen).toBeLessThan(2 * 1024 * 1024);
  }
  expect(given).toBeLessThan(2000 * 65_536);
});

test('another code than 0 is what failed makes of it, after all of the output', async () => {
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of stream({ argv: ['sh', '-c', 'echo out; echo why >&2; exit 7'] })) seen.push(`${chunk}`);
  })();
  await expect(reading).rejects.toThrow('7: why');
  expect(seen.join('')).toBe('out\n');
});

test('output is whole though the program is long gone when it is read', async () => {
  let bytes = 0;
  for await (const chunk of stream({ argv: ['head', '-c', '300000', '/dev/zero'] })) {
    if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 1500));
    bytes += chunk.length;
  }
  expect(bytes).toBe(300_000);
});

test('stderr is bounded', async () => {
  const failing = size(stream({ argv: ['sh', '-c', 'head -c 3000000 /dev/zero >&2; echo end >&2; exit 1'] }));
  const failed = await failing.then(
    () => expect.unreachable('it fails'),
    (thrown: Error) => thrown.message,
  );
  expect(failed).toMatch(/end\n$/);
  expect(failed.length).toBeLessThan(70_000);
});

test('nothing runs any more when the consumer leaves, also what ignores SIGTERM', async () => {
  const code = `const c = require('node:child_process').spawn('sleep', ['300']);
    process.on('SIGTERM', () => {}); console.log(process.pid + ' ' + c.pid); setInterval(() => {}, 1e3)`;
  let pids: readonly number[] = [];
  for await (const chunk of stream({ argv: node(code), input: repeated(1000) })) {
    pids = `${chunk}`.trim().split(' ').map(Number);
    break;
  }
  expect(pids).toHaveLength(2);
  for (const pid of pids) expect(await waitUntil(() => isGone(pid), 2000)).toBe(true);
}, 15_000);

test('what the consumer or the input throws ends it and comes out', async () => {
  let pid = 0;
  const consuming = (async () => {
    for await (const chunk of stream({ argv: ['sh', '-c', 'echo $$; exec sleep 300'] })) {
      pid = Number(`${chunk}`);
      throw new Error('the consumer');
    }
  })();
  await expect(consuming).rejects.toThrow('the consumer');
  expect(await isGone(pid)).toBe(true);
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x');
    throw new Error('the input');
  }
  await expect(size(stream({ argv: ['cat'], input: failing() }))).rejects.toThrow('the input');
});

test('cancelled before, and in the middle while its input gives nothing', async () => {
  await expect(size(stream({ argv: ['true'], signal: AbortSignal.abort() }))).rejects.toThrow();
  const stop = new AbortController();
  async function* stuck(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x');
    await new Promise(() => {});
  }
  setTimeout(() => stop.abort(), 200);
  await expect(size(stream({ argv: ['cat'], input: stuck(), signal: stop.signal }))).rejects.toMatchObject({
    code: 'cancelled',
  });
});

test('a program that does nothing is ended; one that waits for its input or its reader is not', async () => {
  await expect(size(stream({ argv: ['sleep', '300'], idleMs: 300 }))).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringMatching(/cannot run sleep: it did nothing for 0.3 s/),
  });
  async function* slow(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 3; n++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      yield Buffer.from('x');
    }
  }
  let bytes = 0;
  for await (const chunk of stream({ argv: ['cat'], input: slow(), idleMs: 250 })) {
    bytes += chunk.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  expect(bytes).toBe(3);
});

test('a program that does not read its input does no harm', async () => {
  expect(await size(stream({ argv: ['true'], input: repeated(1000) }))).toBe(0);
});

test('no such program', async () => {
  await expect(size(stream({ argv: ['no-such-program'] }))).rejects.toMatchObject({ code: 'not_found' });
});
