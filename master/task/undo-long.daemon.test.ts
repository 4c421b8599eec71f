// Every step of the long tasks failed, undone, given up: moves, copies, restores. Too long for the everyday loop.
import { afterEach } from 'vitest';
import { closeRig, describeUndoing, longCases } from './testing/undo-suite.ts';

afterEach(closeRig);

describeUndoing(longCases);
