// A host on which no site is held, for tests of other things.
import { AegirError } from '../../shared/error.ts';
import type { GateDesk } from '../gate/gates.ts';

export const noGates: GateDesk = {
  set: () => Promise.reject(new AegirError('unavailable', 'cannot open a gate: there are none here')),
};
