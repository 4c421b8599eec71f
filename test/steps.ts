// Runs commands with their time, for check.ts and run.ts: one after the other, in groups, or all at once.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Step {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Besides ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** After it failed: what of it, in some lines each. */
  readonly why?: () => Promise<readonly string[]>;
}

interface Ran {
  readonly failed: string;
  readonly seconds: string;
  readonly said: string;
}

const root = new URL('..', import.meta.url).pathname;

/** Ends the process with status 1 at the first step that fails. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  const begin = performance.now();
  for (const step of steps) tell(step, await run(step, 'inherit'));
  done(begin);
}

/**
 * One group after the other and the steps of a group at once, whatever fails of them; ends the process with status 1 when
 * any did.
 */
export async function runGroups(groups: readonly (readonly Step[])[]): Promise<void> {
  const begin = performance.now();
  const failed: Step[] = [];
  for (const group of groups) {
    const stdio = group.length === 1 ? 'inherit' : 'lines';
    await Promise.all(
      group.map(async (step) => {
        if (!tell(step, await run(step, stdio), false)) failed.push(step);
      }),
    );
  }
  if (failed.length > 0) {
    for (const { name, why } of failed) {
      for (const one of (await why?.()) ?? []) console.error(`${name}: ${one}`);
    }
    console.error(`failed: ${failed.map(({ name }) => name).join(', ')}`);
    process.exit(1);
  }
  done(begin);
}

/** For steps that do not touch what the others read. Each says what it has to say when it has ended; all are run. */
export async function runTogether(steps: readonly Step[]): Promise<void> {
  const begin = performance.now();
  let failed = false;
  await Promise.all(
    steps.map(async (step) => {
      const ran = await run(step, 'pipe');
      // Of one that is well, nobody wants to read.
      if (ran.failed !== '') process.stdout.write(ran.said);
      failed = !tell(step, ran, false) || failed;
    }),
  );
  if (failed) process.exit(1);
  done(begin);
}

/** pipe: kept, and answered. lines: told as they come, each with whose it is. */
function run(step: Step, stdio: 'inherit' | 'pipe' | 'lines'): Promise<Ran> {
  return new Promise((resolve) => {
    const start = performance.now();
    const [program, ...args] = step.argv;
    const output = stdio === 'inherit' ? 'inherit' : 'pipe';
    const child = spawn(program, args, {
      cwd: step.cwd ?? root,
      stdio: ['inherit', output, output],
      // Tests start programs of ours some thousand times: what Node made of a source is kept for the next start.
      env: {
        NODE_COMPILE_CACHE: `${root}node_modules/.cache/node`,
        ...process.env,
        ...step.env,
        PATH: `${root}node_modules/.bin:${process.env['PATH']}`,
      },
    });
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      if (stdio === 'pipe') stream.on('data', (chunk: Buffer) => said.push(chunk));
      else createInterface(stream).on('line', (line) => process.stdout.write(`${step.name}: ${line}\n`));
    }
    const end = (failed: string) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      resolve({ failed, seconds, said: Buffer.concat(said).toString() });
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (status, signal) => end(status === 0 ? '' : `status ${status ?? signal}`));
  });
}

function tell({ name }: Step, { failed, seconds }: Ran, ends = true): boolean {
  if (failed === '') console.log(`${name}: ok, ${seconds} s`);
  else console.error(`${name}: failed after ${seconds} s (${failed})`);
  if (failed !== '' && ends) process.exit(1);
  return failed === '';
}

function done(begin: number): void {
  console.log(`all: ok, ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}
