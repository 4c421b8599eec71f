// npm run check: the everyday loop, under a minute, all at once: protos, generated code, types, lint and format, unit tests.
import { checkSteps } from './check-steps.ts';
import { runTogether } from './steps.ts';

await runTogether(checkSteps);
