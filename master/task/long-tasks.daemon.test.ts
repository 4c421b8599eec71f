// The long tasks, moves, copies, restores, killed at every boundary, failed at every step, undone, given up: too long for
// the everyday loop.
import { afterEach } from 'vitest';
import { graphOf, snapshot } from '../../test/records.ts';
import { taskCases } from './testing/cases.ts';
import { closeRig as closeRepeated, describeRepeating } from './testing/repeat-suite.ts';
import { closeRig as closeUndone, describeUndoing, isShort } from './testing/undo-suite.ts';

const longCases = taskCases(snapshot, graphOf).filter((of) => !isShort(of));
afterEach(closeRepeated);
afterEach(closeUndone);

describeRepeating(longCases);
describeUndoing(longCases);
