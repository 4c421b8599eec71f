// Runs commands one after the other with their time, for check.ts and run.ts.
import { spawnSync } from 'node:child_process';

export interface Step {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
}

const root = new URL('..', import.meta.url).pathname;

/** Ends the process with status 1 at the first step that fails. */
export function runSteps(steps: readonly Step[]): void {
  const begin = performance.now();
  for (const step of steps) {
    const start = performance.now();
    const [program, ...args] = step.argv;
    const result = spawnSync(program, args, {
      cwd: step.cwd ?? root,
      stdio: 'inherit',
      env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env['PATH']}` },
    });
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (result.status !== 0) {
      console.error(`${step.name}: failed after ${seconds} s (${result.error?.message ?? `status ${result.status}`})`);
      process.exit(1);
    }
    console.log(`${step.name}: ok, ${seconds} s`);
  }
  console.log(`all: ok, ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}
