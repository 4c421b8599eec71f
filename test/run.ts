// npm test: everything. The loop of `npm run check`, then the suites that start real daemons, whole masters and lab hosts.
import { checkSteps } from './check-steps.ts';
import { runSteps } from './steps.ts';

const suite = (project: string) => ({
  name: project,
  argv: ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', project] as const,
});

await runSteps([...checkSteps, suite('daemon'), suite('e2e'), suite('lab')]);
