// npm test: everything. The loop of `npm run check`, then the suites that start real daemons, whole masters and lab hosts:
// all of them, so that one run tells all that is wrong.
import { checkSteps } from './check-steps.ts';
import { runGroups, runSteps } from './steps.ts';

const suite = (project: string) => ({
  name: project,
  argv: ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', project] as const,
});

await runSteps(checkSteps);
// The daemons' suite keeps all processors busy; the other two mostly wait, each file for its own hosts and masters.
await runGroups([[suite('daemon')], [suite('e2e'), suite('lab')]]);
