// The object that exists only to be sent: made where it is read, thrown away where it is received.
import { PROBE_KIND, parseProbeName, probeBytes } from '../../shared/grant.ts';
import type { ObjectKind } from './objects.ts';

/** Who asks for a probe waits for the answer. */
const PATIENCE_MS = 20_000;

export function createProbeKind(): ObjectKind {
  return {
    kind: PROBE_KIND,
    patienceMs: PATIENCE_MS,
    async give({ name }) {
      const probe = parseProbeName(name);
      if (probe === undefined) return undefined;
      const { seed, size } = probe;
      return {
        form: 'blob',
        size,
        read: async (offset, length) => probeBytes(seed, offset, length),
        close: async () => {},
      };
    },
    take: async () => ({
      form: 'blob',
      sink: {
        begin: async () => ({ whole: false, kept: 0 }),
        write: async () => {},
        flush: async () => {},
        commit: async () => {},
        discard: async () => {},
        close: async () => {},
      },
    }),
  };
}
