// Version 13: the key on the mesh that a server's agent named last is kept no more. Nobody read it: those that it had leave for
// are in the settings, for each server all of them.
import type { Migration } from './migrations.ts';

export const noMeshKey: Migration = {
  version: 13,
  name: 'no-mesh-key',
  up: () => ['alter table servers drop column mesh_key'],
};
