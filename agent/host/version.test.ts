// A program is asked for its version once, until its file is another one.
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFakeHost } from './fake.ts';
import type { Host } from './host.ts';
import { createRun, ourselves } from './process.ts';
import { versionOf } from './version.ts';

let dir: string;
let asked: number;
let host: Host;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-version-'));
  asked = 0;
  const run = createRun(async () => ourselves());
  host = {
    ...createFakeHost(),
    run: (command) => {
      asked += 1;
      return run(command);
    },
  };
});
afterEach(() => rmSync(dir, { recursive: true }));

const program = () => join(dir, 'program');
const install = (text: string) => {
  writeFileSync(join(dir, 'new'), `#!/bin/sh\n${text}\n`);
  chmodSync(join(dir, 'new'), 0o755);
  renameSync(join(dir, 'new'), program());
};
const version = (...args: readonly string[]) => versionOf(host, [program(), ...args], /v(\S+)/);

test('once, until it is upgraded', async () => {
  install('echo v1.0');
  expect([await version(), await version(), asked]).toEqual(['1.0', '1.0', 1]);
  install('echo v1.1');
  expect([await version(), await version(), asked]).toEqual(['1.1', '1.1', 2]);
  await version('--more');
  expect(asked).toBe(3);
});

test('again, when it failed or is gone', async () => {
  install('echo v1.0 >&2; exit 1');
  expect([await version(), await version(), asked]).toEqual(['1.0', '1.0', 2]);
  install('echo v1.0');
  await version();
  rmSync(program());
  await expect(version()).rejects.toThrow();
  expect(asked).toBe(4);
});

test('of a name: each time', async () => {
  await versionOf(host, ['sh', '-c', 'echo v1'], /v(\S+)/);
  await versionOf(host, ['sh', '-c', 'echo v1'], /v(\S+)/);
  expect(asked).toBe(2);
});
