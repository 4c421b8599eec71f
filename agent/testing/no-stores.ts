// Stores of an agent that has no file service, for tests.
import { AegirError } from '../../shared/error.ts';
import { createLocks } from '../backup/store/locks.ts';
import type { Stores } from '../backup/store/stores.ts';

const none = () => Promise.reject(new AegirError('unavailable', 'cannot open a store: there is none here'));

export const noStores: Stores = {
  locks: createLocks(),
  offers: { prefix: 'backup/', offer: none, give: async () => undefined, close: async () => {} },
  open: none,
  close: async () => {},
};
