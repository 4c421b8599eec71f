// Which tests are which: unit (pure or in-process, seconds), daemons (real programs on loopback), lab (many hosts).
import { existsSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** What is polled for comes when processes have started, which takes its time; by default it must within a second. */
const expectSlow = { poll: { timeout: 30_000, interval: 100 } };
const slow = ['**/*.daemon.test.ts', '**/*.lab.test.ts', '**/*.e2e.test.ts'];

/** A directory in memory where programs may run, too. */
const memory = /^\S+ (\/dev\/shm) tmpfs (?!\S*\b(?:noexec|ro)\b)/m.exec(mounts())?.[1];

function mounts(): string {
  return existsSync('/proc/mounts') ? readFileSync('/proc/mounts', 'utf8') : '';
}

// Programs of ours that tests start, and the tests' own workers, are compiled once; as `npm run aegir` has it.
process.env['NODE_COMPILE_CACHE'] ??= new URL('../node_modules/.cache/node', import.meta.url).pathname;

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // Most tests wait for a process or a socket, not for a core.
    maxWorkers: 4,
    tags: [
      {
        name: 'deep',
        description:
          'What `npm run test:deep` runs and `npm test` leaves out: more of the same, at every place or at full size.',
      },
    ],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{shared,master,agent,deploy,test}/**/*.test.ts'],
          exclude: slow,
          // Modules keep no state of their own (style.md: no singletons), so files share them: half the time.
          isolate: false,
          // A bound for what hangs, with room for a machine that is busy.
          testTimeout: 20_000,
          hookTimeout: 20_000,
          // What they write is gone with them: no disk has to wait for it. Durability is proved by those that kill programs.
          env: memory === undefined ? {} : { TMPDIR: memory },
        },
      },
      {
        test: {
          name: 'daemon',
          expect: expectSlow,
          include: ['{shared,master,agent,deploy,test}/**/*.daemon.test.ts'],
          // For what hangs: some start a thousand processes, which takes a minute where that is slow.
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'e2e',
          expect: expectSlow,
          include: ['test/**/*.e2e.test.ts'],
          testTimeout: 600_000,
          // Three servers and a site are made in one.
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'lab',
          expect: expectSlow,
          include: ['test/**/*.lab.test.ts'],
          globalSetup: ['test/lab/prepare.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
