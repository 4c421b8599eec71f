import { expect, test } from 'vitest';
import type { Command } from './host.ts';
import { processFacts } from './proc.ts';
import { createRun, ourselves, runProcess, withRights } from './process.ts';
import { waitUntil } from './wait.ts';

const run = createRun(async () => ourselves());
const node = (code: string): Command['argv'] => [process.execPath, '-e', code];

test('answers code and output; a failure is a result', async () => {
  const result = await run({ argv: node('console.log("out"); console.error("err"); process.exitCode = 7') });
  expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
});

test('a signal is 128 and its number', async () => {
  expect((await run({ argv: node('process.kill(process.pid, "SIGUSR2"); setTimeout(() => {}, 9e3)') })).code).toBe(140);
});

test('arguments stay as they are: nothing is a shell', async () => {
  const odd = ['$(id)', '; id', '*', 'a b', '', "'"];
  const { stdout } = await run({ argv: ['printf', '%s|', ...odd] });
  expect(stdout).toBe("$(id)|; id|*|a b||'|");
});

test('the environment is PATH, HOME and LANG, or exactly what was given', async () => {
  process.env['AEGIR_TEST_LEAK'] = 'secret';
  const names = async (env?: Record<string, string>): Promise<string[]> => {
    const { stdout } = await run({ argv: ['env'], ...(env && { env }) });
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0] ?? '')
      .sort();
  };
  expect(await names()).toEqual(['HOME', 'LANG', 'PATH']);
  expect(await names({ ONLY: 'x' })).toEqual(['ONLY']);
  delete process.env['AEGIR_TEST_LEAK'];
});

test('input arrives, and a program that does not read it does no harm', async () => {
  const input = 'x'.repeat(3_000_000);
  expect((await run({ argv: ['wc', '-c'], input })).stdout.trim()).toBe('3000000');
  expect((await run({ argv: ['true'], input })).code).toBe(0);
});

test('output keeps its end, whole characters only', async () => {
  const { stdout } = await run({ argv: node('process.stdout.write("ä".repeat(300000) + "end")'), maxOutput: 1000 });
  expect(stdout).toMatch(/^ä+end$/);
  expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(1000);
  expect(Buffer.byteLength(stdout)).toBeGreaterThan(990);
});

test('lines come as they are written, the last one without newline too', async () => {
  const seen: string[] = [];
  await run({
    argv: node('process.stdout.write("one\\ntw"); setTimeout(() => process.stdout.write("o\\r\\nthree"), 50)'),
    onLine: (stream, line) => seen.push(`${stream} ${line}`),
  });
  expect(seen).toEqual(['stdout one', 'stdout two', 'stdout three']);
});

test('too long: ended with everything it started, also what ignores SIGTERM', async () => {
  const pids: number[] = [];
  // A shell: it is there long before its time is over, however busy the machine.
  const script = 'trap "" TERM; sleep 300 & echo $!; echo $$; while :; do wait; done';
  const running = run({ argv: ['sh', '-c', script], timeoutMs: 2_000, onLine: (_, line) => pids.push(Number(line)) });
  await expect(running).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringMatching(/cannot run sh.*within 2 s/),
  });
  const alive = async (): Promise<boolean> => {
    const facts = await Promise.all(pids.filter(Number.isInteger).map(processFacts));
    return facts.some((one) => one !== undefined && one.state !== 'Z');
  };
  expect(pids.filter(Number.isInteger)).toHaveLength(2);
  expect(await waitUntil(async () => !(await alive()), 2000)).toBe(true);
}, 15_000);

test('cancelled before and in the middle', async () => {
  await expect(run({ argv: ['true'], signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
  const stop = new AbortController();
  const started = performance.now();
  const running = run({ argv: ['sleep', '300'], signal: stop.signal });
  setTimeout(() => stop.abort(), 100);
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  expect(performance.now() - started).toBeLessThan(4000);
});

test('something left behind that holds the output does not hold us, and is ended', async () => {
  const seen: number[] = [];
  const code = `const c = require('node:child_process').spawn('sleep', ['300'], {stdio: 'inherit'});
    console.log(c.pid); c.unref(); process.exitCode = 3`;
  const result = await run({ argv: node(code), onLine: (_, line) => seen.push(Number(line)) });
  expect(result.code).toBe(3);
  const [left = 0] = seen;
  expect(await waitUntil(async () => [undefined, 'Z'].includes((await processFacts(left))?.state), 2000)).toBe(true);
});

test('no such program, no such directory', async () => {
  await expect(run({ argv: ['no-such-program'] })).rejects.toMatchObject({ code: 'not_found' });
  await expect(run({ argv: ['true'], cwd: '/no/such' })).rejects.toThrow(/working directory \/no\/such/);
});

test('what onLine throws ends the program and comes out', async () => {
  const onLine = (): never => {
    throw new Error('mine');
  };
  await expect(run({ argv: node('console.log(1); setInterval(() => {}, 1e3)'), onLine })).rejects.toThrow('mine');
});

test('rights are dropped with all supplementary groups', () => {
  expect(withRights(['/bin/id'], { uid: 999_999, gid: 888_888, home: '/' }, 'KILL')).toEqual([
    '/usr/bin/setpriv',
    '--pdeathsig',
    'KILL',
    '--reuid=999999',
    '--regid=888888',
    '--clear-groups',
    '--',
    '/bin/id',
  ]);
  expect(withRights(['/bin/id'], ourselves(), 'TERM')).not.toContain('--clear-groups');
});

test.skipIf(process.geteuid?.() !== 0)(
  'as root: the program really runs as the other, without our groups',
  async () => {
    const { stdout } = await runProcess({ argv: ['id', '-G'] }, { uid: 65534, gid: 65534, home: '/' });
    expect(stdout.trim()).toBe('65534');
  },
);

test('the program dies with the one that started it', async () => {
  const inner = `import { runProcess, ourselves } from ${JSON.stringify(new URL('./process.ts', import.meta.url).href)};
    await runProcess({ argv: ['sh', '-c', 'echo $$; exec sleep 300'], onLine: (_, line) => console.log(line) }, ourselves());`;
  const stop = new AbortController();
  let sleeper = 0;
  const outer = run({
    argv: [process.execPath, '--input-type=module-typescript', '-e', inner],
    onLine: (_, line) => {
      sleeper = Number(line) || sleeper;
    },
    signal: stop.signal,
  }).catch(() => {});
  expect(await waitUntil(() => sleeper !== 0, 8000)).toBe(true);
  const parent = (await processFacts(sleeper))?.parent ?? 0;
  process.kill(parent, 'SIGKILL');
  expect(await waitUntil(async () => [undefined, 'Z'].includes((await processFacts(sleeper))?.state), 2000)).toBe(true);
  stop.abort();
  await outer;
}, 15_000);
