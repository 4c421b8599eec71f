// A reporter for vitest that writes what failed into the file that AEGIR_FAILURES names, and the words that are told of it at
// the end of a run: there they are not lost among what passed.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Reporter } from 'vitest/node';

/** Told of one suite, and lines of what each says. */
const MOST = 20;
const LINES = 6;

export interface Failure {
  readonly file: string;
  /** Empty when the file failed outside of its tests. */
  readonly test: string;
  readonly messages: readonly string[];
}

const messagesOf = (errors: readonly { readonly message?: string; readonly stack?: string }[] = []) =>
  errors.map(({ message = '', stack = '' }) => message || stack);

export default class implements Reporter {
  onTestRunEnd: NonNullable<Reporter['onTestRunEnd']> = (modules, unhandled) => {
    const path = process.env['AEGIR_FAILURES'];
    if (path === undefined) return;
    const failures: Failure[] = [];
    for (const module of modules) {
      const { relativeModuleId: file, children } = module;
      const outside = [...module.errors(), ...[...children.allSuites()].flatMap((suite) => suite.errors())];
      if (outside.length > 0) failures.push({ file, test: '', messages: messagesOf(outside) });
      for (const test of children.allTests('failed')) {
        failures.push({ file, test: test.fullName, messages: messagesOf(test.result().errors) });
      }
    }
    if (unhandled.length > 0) {
      const messages = unhandled.map(({ message = '', stack = '' }) => stack || message);
      failures.push({ file: 'outside of all tests', test: '', messages });
    }
    writeFileSync(path, JSON.stringify(failures));
  };
}

/** What a run that failed has to tell, by the file that the reporter wrote. */
export async function failuresIn(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '[]');
  const told = tellFailures(JSON.parse(text));
  return told.length > 0 ? told : ['it says of no test that it failed: look above'];
}

/** Pure. */
export function tellFailures(failures: readonly Failure[]): readonly string[] {
  const told = failures.map(
    ({ file, test, messages }) => `${[file, test].filter(Boolean).join(': ')}: ${head(messages)}`,
  );
  return told.length <= MOST ? told : [...told.slice(0, MOST), `and ${told.length - MOST} more`];
}

function head(messages: readonly string[]): string {
  return messages.join('\n').split('\n').slice(0, LINES).join('\n  ').trim();
}
