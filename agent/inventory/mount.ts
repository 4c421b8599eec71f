// Detects mounts that are network file systems: places for backups that several servers may see.
import { type Detector, found } from './detector.ts';

const MAX_NAME = 300; // longer ones name no service

export function createMountDetector(): Detector {
  return {
    name: 'mount',
    async detect(host) {
      const { disks } = await host.identity();
      return disks
        .filter((disk) => disk.network && disk.mount.length <= MAX_NAME)
        .map((disk) =>
          found({
            type: 'file',
            engine: 'mount',
            instance: disk.mount,
            version: disk.type,
            configRoots: [disk.mount],
            running: true,
          }),
        );
    },
  };
}
