// The engine file/mount: a path that several servers see, as NFS or GlusterFS. People mount it, we never do; we only make
// sure that it is there, and the same, before anything is written.
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createFileEngine, type FileEngine } from '../file-engine.ts';
import { checkKeys, directoryOf, optional, sizeOf, wrong, yesOrNo } from '../settings.ts';
import { openTreeStore } from '../tree-store.ts';
import { adopt, lookAt, openPrepared, type Place } from './place.ts';

const MAX_NAME = 300; // longer ones name no service

/** Settings: path (default: the mount point that was detected), share (name of the tree, the same on every server that
 * sees it), local (yes: it may lie on the root file system), quota (such as 20G). */
export function createMountEngine(): FileEngine {
  return createFileEngine({
    name: 'mount',
    detect: async (host) => {
      const { disks } = await host.identity();
      return disks
        .filter((disk) => disk.network && disk.mount.length <= MAX_NAME)
        .map((disk) => ({
          ...{ type: 'file', engine: 'mount', instance: disk.mount, version: disk.type, ports: [] },
          ...{ configRoots: [disk.mount], running: true, manageable: true, socket: '', capabilities: ['store'] },
        }));
    },

    judge(service) {
      checkKeys(service, { settings: ['path', 'share', 'local', 'quota'], secrets: [] });
      placeOf(service);
      sizeOf(service, 'quota');
      const share = optional(service, 'settings', 'share');
      if (share !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(share)) {
        throw wrong(
          service,
          'settings "share"',
          `${JSON.stringify(share)} is no name of letters, digits, ".", "_" and "-"`,
        );
      }
    },

    async prepare(service, { host }) {
      const place = placeOf(service);
      const found = await lookAt(service, place, host);
      if (found === undefined) return [];
      const what = found.mark === undefined ? 'mark the tree' : 'take the tree that another server has marked';
      return [
        { summary: `${what} at ${place.path} (${found.source})`, run: ({ host: its }) => adopt(service, place, its) },
      ];
    },

    async open(service, { host }) {
      const place = placeOf(service);
      const root = await openPrepared(service, place, host);
      return openTreeStore({ root, where: place.path, quotaBytes: sizeOf(service, 'quota') });
    },
  });
}

function placeOf(service: ServiceRef): Place {
  const found = service.instance.startsWith('/') ? service.instance : undefined;
  return { path: directoryOf(service, 'path', found), local: yesOrNo(service, 'local') };
}
