// The mesh of an agent that takes no part in one.
import type { Mesh } from './mesh.ts';

export function createNoMesh(): Mesh {
  return { key: () => '', update: () => {}, state: () => 'off', close: async () => {} };
}
