// An agent's mesh in a process of its own, for tests that kill it and for measurements: told what to do by its parent,
// tells what happens.
import { join } from 'node:path';
import type { TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';
import { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import { openFolderStore } from './folder-store.ts';
import { chunksKind, fileKind } from './kinds.ts';
import { openPeer, type Passport } from './rig.ts';

export interface PeerStart {
  readonly passport: Passport;
  readonly bytesPerSecond?: number;
}
export type PeerOrder = { readonly receive: unknown };
export type PeerNews =
  | { readonly is: 'connected' }
  | { readonly is: 'progress'; readonly bytes: number }
  | { readonly is: 'done'; readonly facts: Record<keyof TransferFacts, number>; readonly usage: Usage }
  | { readonly is: 'failed'; readonly code: string; readonly message: string };

export interface Usage {
  readonly maxRssBytes: number;
  readonly cpuMillis: number;
}

export function usage(): Usage {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  return { maxRssBytes: maxRSS * 1024, cpuMillis: Math.round((userCPUTime + systemCPUTime) / 1000) };
}

const say = (news: PeerNews | Usage) => process.send?.(news);

if (process.argv[2] === 'peer') {
  process.once('message', (start: PeerStart) => void begin(start));
  process.on('disconnect', () => process.exit(0));
}

async function begin({ passport, bytesPerSecond }: PeerStart): Promise<void> {
  const { dir } = passport;
  const kinds = [fileKind(dir), chunksKind(dir, openFolderStore(join(dir, 'store')))];
  const peer = openPeer(passport, { kinds, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) });
  peer.mesh.onLink(() => say({ is: 'connected' }));
  process.on('message', (order: PeerOrder | 'usage') => {
    if (order === 'usage') say(usage());
    else void receive(order);
  });
  const receive = async (order: PeerOrder) => {
    try {
      const onProgress = (bytes: number) => void say({ is: 'progress', bytes });
      const facts = await peer.receive(Grant.fromJSON(order.receive), { onProgress });
      const numbers = Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, Number(value)]));
      say({ is: 'done', facts: numbers as Record<keyof TransferFacts, number>, usage: usage() });
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      say({ is: 'failed', code, message });
    }
  };
}
