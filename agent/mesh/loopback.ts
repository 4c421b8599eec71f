// A link of an agent to itself, in memory: what another part of this server gives goes the same way as over the mesh,
// under a grant, without a node in between.
import type { Link, Links, Word } from './mesh.ts';

interface Ear {
  readonly word: Word;
  readonly transfer: string;
  readonly on: (from: string, transfer: string, data: Uint8Array) => void;
}

/** grantKey: as Links has it. */
export function createLoopback(me: string, grantKey: () => string): Links {
  const ears = new Set<Ear>();
  let queue: (() => void)[] = [];
  const drain = () => {
    const due = queue;
    queue = [];
    for (const each of due) each();
  };
  const link: Link = {
    lost: new AbortController().signal,
    send(to, word, transfer, data) {
      if (to !== me) return;
      // Later, as over a network: who sends is not called back from within.
      if (queue.length === 0) setImmediate(drain);
      queue.push(() => {
        for (const ear of ears) {
          if (ear.word === word && (ear.transfer === '*' || ear.transfer === transfer)) ear.on(me, transfer, data);
        }
      });
    },
    hear(from, word, transfer, on) {
      const ear = { word, transfer, on };
      if (from === '*' || from === me) ears.add(ear);
      return () => void ears.delete(ear);
    },
    flush: () =>
      new Promise((resolve) => {
        if (queue.length === 0) setImmediate(drain);
        queue.push(resolve);
      }),
  };
  return {
    current: () => link,
    onLink(told) {
      told(link);
      return () => {};
    },
    grantKey,
  };
}
