// npm run check: the everyday loop, under a minute: protos, generated code, types, lint and format, unit tests.
import { checkSteps } from './check-steps.ts';
import { runSteps } from './steps.ts';

runSteps(checkSteps);
