// npm test: the loop of `npm run check`, then the suites that start real daemons, whole masters and lab hosts: all of them,
// so that one run tells all that is wrong. npm run test:deep: the tests that are tagged deep, too.
import { checkSteps } from './check-steps.ts';
import { runGroups, runSteps } from './steps.ts';

const which = process.argv.includes('--deep') ? [] : ['--tags-filter', '!deep'];
const suite = (project: string) => ({
  name: project,
  argv: ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', project, ...which] as const,
});

await runSteps(checkSteps);
// The daemons' suite keeps all processors busy; the other two mostly wait, each file for its own hosts and masters.
await runGroups([[suite('daemon')], [suite('e2e'), suite('lab')]]);
