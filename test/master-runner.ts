// Runs the tasks of a master's Admin API under test: real runner and steps, each tried once; agents are scripted.
import { loadGraph } from '../master/admin/load.ts';
import { createHandlers } from '../master/task/handlers/handlers.ts';
import { LIMITS } from '../master/task/limits.ts';
import { createRunner, type Runner } from '../master/task/runner.ts';
import { createScriptCertificates } from '../master/task/testing/script-certificates.ts';
import type { MasterApi } from './master-api.ts';

/** owner: in leases. What goes wrong in it is among the master's faults. The caller stops it, before the master. */
export function startMasterRunner(master: MasterApi, owner: string): Runner {
  const { store, agents, events } = master;
  const handlers = createHandlers({
    ...{ store, agents, unseal: (_: string, sealed: string) => sealed, now: Date.now },
    ...{ certificates: createScriptCertificates(), graph: () => loadGraph(store), knock: async () => 'open' },
  });
  const runner = createRunner({
    ...{ store, handlers, events, failpoint: () => {}, limits: { ...LIMITS, attempts: 1 }, now: Date.now },
    ...{ owner, log: { error: (fields) => master.faults.push(fields['err']) } },
  });
  master.onWake = () => runner.wake();
  runner.start();
  return runner;
}
