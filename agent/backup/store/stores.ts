// What an agent has for backups on its file services: how one is opened, who may use it at a time, and what is offered.
import { join } from 'node:path';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Engine } from '../../engine/engine.ts';
import type { Host } from '../../host/host.ts';
import { createLocks, type Locks } from './locks.ts';
import { createOffers, type Offers } from './offers.ts';
import { openRepository } from './open-repository.ts';
import type { Repository } from './repository.ts';

export interface Stores {
  readonly locks: Locks;
  readonly offers: Offers;
  /** The caller closes it. use: to read alone, without a change to anything. */
  open(service: ServiceRef, ctx: ActionContext, use?: 'write' | 'read'): Promise<Repository>;
  close(): Promise<void>;
}

export interface StoresOptions {
  readonly host: Host;
  readonly engines: readonly Engine[];
  readonly now: () => number;
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => void;
}

export function createStores({ host, engines, now, log }: StoresOptions): Stores {
  const open: Stores['open'] = (service, ctx, use) => openRepository(engines, service, ctx, use);
  const offers = createOffers({
    dir: join(host.paths.work, 'offers'),
    now,
    // Under a grant, long after the action that offered it.
    open: (service, signal) =>
      open(service, { host, signal, log, failpoint: () => {}, progress: () => {}, message: () => {} }),
  });
  return { locks: createLocks(), offers, open, close: () => offers.close() };
}
