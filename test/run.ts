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
const root = new URL('..', import.meta.url).pathname;
const reports = mkdtempSync(join(tmpdir(), 'aegir-reports-'));
process.on('exit', () => rmSync(reports, { recursive: true, force: true }));
const suite = (project: string) => {
  const report = join(reports, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  return {
    name: project,
    argv: [
      ...(['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', project] as const),
      ...[...which, ...reporters],
    ] as const,
    why: () => failuresIn(report, root),
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
