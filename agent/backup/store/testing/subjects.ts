// File services of every engine, as their conformance suites have them, to keep backups on.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openTestPlace } from '../../../engine/conformance/file-place.ts';
import { openGitPathWorld, openSvnWorld } from '../../../engine/conformance/file-repositories.ts';
import { openSshWorld } from '../../../engine/conformance/file-ssh-world.ts';
import type { FileSubject } from '../../../engine/conformance/file-stage.ts';
import { createGitEngine } from '../../../engine/file/git/engine.ts';
import { createMeshEngine } from '../../../engine/file/mesh/engine.ts';
import { createMountEngine } from '../../../engine/file/mount/engine.ts';
import { createScpEngine } from '../../../engine/file/scp/engine.ts';
import { createScratches } from '../../../engine/file/scratch.ts';
import { createSftpEngine } from '../../../engine/file/sftp/engine.ts';
import { createSubversionEngine } from '../../../engine/file/subversion/engine.ts';

const common = { prepares: false, sizes: true };

export const meshSubject: FileSubject = {
  ...{ name: 'mesh', createEngine: createMeshEngine, ...common },
  async openWorld() {
    const place = await openTestPlace('mesh');
    const root = join(place.path, 'store');
    const everything = () => place.files(root).catch(() => []);
    const plant = (path: string) => place.plant(join('store', path));
    return { ...place, declared: { settings: { root }, secrets: {} }, everything, plant };
  },
};

const mountSubject: FileSubject = {
  ...{ name: 'mount', createEngine: createMountEngine, ...common },
  async openWorld() {
    const place = await openTestPlace('mount');
    const path = join(place.path, 'nas');
    await mkdir(path);
    return {
      ...place,
      declared: { settings: { path, local: 'true' }, secrets: {} },
      everything: () => place.files(path),
    };
  },
};

export const sftpSubject: FileSubject = {
  ...{ name: 'sftp', createEngine: () => createSftpEngine(createScratches()), ...common },
  openWorld: () => openSshWorld('key'),
};

export const gitSubject: FileSubject = {
  ...{ name: 'git', createEngine: () => createGitEngine(createScratches()), ...common },
  openWorld: openGitPathWorld,
};

export const subjects: readonly FileSubject[] = [
  meshSubject,
  mountSubject,
  sftpSubject,
  {
    name: 'scp',
    createEngine: () => createScpEngine(createScratches()),
    ...common,
    openWorld: () => openSshWorld('key'),
  },
  gitSubject,
  {
    ...{ name: 'subversion', createEngine: () => createSubversionEngine(createScratches()), ...common },
    openWorld: openSvnWorld,
  },
];
