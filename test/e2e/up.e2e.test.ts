// Row 1: `npm run up -- --check` from nothing exits 0 and leaves nothing running.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { processesUnder } from './machine.ts';

const root = new URL('../..', import.meta.url).pathname;
const dir = mkdtempSync(join(tmpdir(), 'aegir-up-'));
// The daemons' user has to pass through it.
chmodSync(dir, 0o711);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

type Watch = (text: string, pid: number) => void;

const up = (args: readonly string[], onOutput: Watch = () => {}): Promise<Ended> =>
  run([process.execPath, join(root, 'deploy/up/main.ts'), ...args], onOutput);

function run([program, ...args]: readonly [string, ...string[]], onOutput: Watch): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, XDG_CONFIG_HOME: join(dir, 'config') };
    const child = spawn(program, args, { env, cwd: root });
    let output = '';
    const take = (part: Buffer) => {
      output += part.toString();
      onOutput(output, child.pid ?? 0);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('exit', (code) => resolve({ code, output }));
  });
}

test('up --check does the main job from nothing and leaves nothing', async () => {
  const { code, output } = await up(['--check', '--dir', join(dir, 'check')]);
  expect(output).toContain('login link does not log in a second time');
  expect(code, output).toBe(0);
  expect(processesUnder(dir)).toEqual([]);
});

const place = join(dir, 'twice');

/** Sends it the signal once it is up. */
function until(signal: NodeJS.Signals): Watch {
  let told = false;
  return (text, pid) => {
    if (told || !text.includes('Ctrl-C stops it')) return;
    told = true;
    process.kill(pid, signal);
  };
}

test('Ctrl-C stops everything, and a second up finds all as it was', async () => {
  const first = await up(['--dir', place, '--servers', '3'], until('SIGINT'));
  expect(first.code, first.output).toBe(0);
  expect(first.output).toMatch(/Run the installer/);
  expect(processesUnder(dir)).toEqual([]);
  const second = await up(['--dir', place], until('SIGINT'));
  expect(second.code, second.output).toBe(0);
  expect(second.output).not.toMatch(/Run the installer/);
  expect(second.output).toMatch(/web2\/nginx, web2\/mariadb and web2\/mesh are there/);
  expect(second.output).toMatch(/Login link\s+http/);
  expect(processesUnder(dir)).toEqual([]);
  expect(existsSync(join(place, 'master/admin.token'))).toBe(true);
});

test('the pid that people have is that of npm, which hands on what it is told, and to nobody between', {
  tags: ['deep'],
}, async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { output } = await run(['npm', 'run', 'up', '--', '--dir', place], until(signal));
    expect(output).toMatch(/stopping\n$/);
    expect(processesUnder(dir)).toEqual([]);
  }
});
