// What failed in a suite, by vitest's report in JSON: told once more at the end, where it is not lost among what passed.
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';

/** Tests told of one suite, and lines of what each says. */
const MOST = 20;
const LINES = 6;

interface Report {
  readonly testResults?: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults?: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
}

/** Some lines for each test, or file, that failed; empty when there is no report, as after a death. */
export async function failuresIn(path: string, root: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '{}');
  return failuresOf(JSON.parse(text), root);
}

/** Pure. */
export function failuresOf({ testResults = [] }: Report, root: string): readonly string[] {
  const failed = testResults.flatMap(({ name, status, message = '', assertionResults = [] }) => {
    const file = relative(root, name);
    const tests = assertionResults.filter((test) => test.status === 'failed');
    if (tests.length === 0) return status === 'failed' ? [`${file}: ${head(message)}`] : [];
    return tests.map(
      ({ fullName, failureMessages }) => `${file}: ${fullName}: ${head((failureMessages ?? []).join('\n'))}`,
    );
  });
  if (failed.length <= MOST) return failed;
  return [...failed.slice(0, MOST), `and ${failed.length - MOST} more`];
}

function head(message: string): string {
  return message.split('\n').slice(0, LINES).join('\n  ').trim();
}
