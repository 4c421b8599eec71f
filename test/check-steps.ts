// What the everyday loop checks; npm test starts with the same.
import type { Step } from './steps.ts';

const proto = new URL('../proto', import.meta.url).pathname;

export const checkSteps: readonly Step[] = [
  { name: 'proto lint', argv: ['buf', 'lint'], cwd: proto },
  { name: 'proto breaking', argv: ['node', 'test/proto-breaking.ts'] },
  { name: 'proto generated', argv: ['node', 'test/proto-generated.ts'] },
  { name: 'types', argv: ['tsc', '--noEmit'] },
  { name: 'lint and format', argv: ['biome', 'check', '--error-on-warnings', '.'] },
  {
    name: 'unit',
    argv: ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', 'unit', '--silent=passed-only'],
  },
];
