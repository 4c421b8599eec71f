// npm test: the loop of `npm run check`, then the suites that start real daemons, whole masters and lab hosts: all of them,
// so that one run tells all that is wrong. npm run test:deep: the tests that are tagged deep, too.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labUnavailable } from '../deploy/lab/lab.ts';
import { checkSteps } from './check-steps.ts';
import { failuresIn } from './failures.ts';
import { runGroups, runSteps } from './steps.ts';

const which = process.argv.includes('--deep') ? [] : ['--tags-filter', '!deep'];
const failures = mkdtempSync(join(tmpdir(), 'aegir-failures-'));
process.on('exit', () => rmSync(failures, { recursive: true, force: true }));
const reporters = ['--reporter=default', '--reporter=test/failures.ts'];
const suite = (project: string) => {
  const told = join(failures, project);
  return {
    name: project,
    argv: [
      ...(['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', project] as const),
      ...[...which, ...reporters],
    ] as const,
    env: { AEGIR_FAILURES: told },
    why: () => failuresIn(told),
  };
};

await runSteps(checkSteps);
// The hosts' image comes from the package registry, which takes minutes and few processors. The suites themselves keep a
// machine of two processors busy, and visitors of a site that moves wait for it.
const image = { name: 'lab image', argv: ['node', 'deploy/lab/main.ts', 'image'] } as const;
await runGroups([
  labUnavailable() === undefined ? [suite('daemon'), image] : [suite('daemon')],
  [suite('e2e')],
  [suite('lab')],
]);
