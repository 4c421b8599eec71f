// Transfers of an agent that has no mesh, for tests.
import { AegirError } from '../../shared/error.ts';
import type { Transfers } from '../mesh/transfers.ts';

export const noTransfers: Transfers = {
  receive: () => Promise.reject(new AegirError('unavailable', 'cannot receive: there is no mesh here')),
  close: async () => {},
};
