// The engine file/mesh: a directory of this server, where other agents bring their backups over the mesh. Every agent can
// carry one.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Host } from '../../../host/host.ts';
import { placeFailure } from '../errno.ts';
import { createFileEngine, type FileEngine } from '../file-engine.ts';
import { checkKeys, directoryOf, sizeOf } from '../settings.ts';
import { openDirectory, openTreeStore } from '../tree-store.ts';

const OPTIONS = { mode: 0o700 };

/** Settings: root (default: store under the agent's state), quota (such as 20G; default none). */
export function createMeshEngine(): FileEngine {
  return createFileEngine({
    name: 'mesh',
    detect: async (host) => [detected(rootOf(host))],
    judge,

    async prepare(service, { host }) {
      const root = placeOf(service, host);
      if (await host.files.directoryMatches(root, OPTIONS)) return [];
      const there = await host.files.exists(root);
      if (there && (await host.files.list(root)).length > 0) {
        throw new AegirError(
          'failed_precondition',
          `cannot use ${root}: something is there, and it is open to others; name a directory that is empty or not there yet`,
        );
      }
      const summary = there ? `close directory ${root} to others (mode 0700)` : `make directory ${root} (mode 0700)`;
      return [{ summary, run: ({ host: its }) => its.files.directory(root, OPTIONS) }];
    },

    async open(service, { host }) {
      const where = placeOf(service, host);
      try {
        const root = await openDirectory(where);
        return await openTreeStore({ root, where, quotaBytes: sizeOf(service, 'quota') });
      } catch (thrown) {
        throw placeFailure(thrown, 'open the store', where);
      }
    },
  });
}

function judge(service: ServiceRef, host: Host): void {
  checkKeys(service, { settings: ['root', 'quota'], secrets: [] });
  placeOf(service, host);
  sizeOf(service, 'quota');
}

function rootOf(host: Host): string {
  return join(host.paths.state, 'store');
}

function placeOf(service: ServiceRef, host: Host): string {
  return directoryOf(
    service,
    'root',
    service.instance === '' ? rootOf(host) : join(rootOf(host), '..', `store-${service.id}`),
  );
}

function detected(root: string): DetectedService {
  return {
    ...{ type: 'file', engine: 'mesh', instance: '', version: '', ports: [], configRoots: [root] },
    ...{ running: true, manageable: true, socket: '', capabilities: ['store'] },
  };
}
