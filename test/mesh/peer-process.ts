// Starts test/mesh/peer.ts and speaks with it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import type { PeerNews, PeerStart, Usage } from './peer.ts';

export interface PeerProcess {
  readonly child: ChildProcess;
  /** Resolves with how the transfer ended. */
  receive(grant: Grant, onProgress?: (bytes: number) => void): Promise<Extract<PeerNews, { is: 'done' | 'failed' }>>;
  usage(): Promise<Usage>;
  kill(): Promise<void>;
}

/** Resolves when it is connected to the mesh. */
export async function startPeer(start: PeerStart): Promise<PeerProcess> {
  const child = fork(new URL('./peer.ts', import.meta.url), ['peer'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const connected = next(child, ({ is }) => is === 'connected');
  child.send(start);
  await connected;
  return {
    child,
    async receive(grant, onProgress = () => {}) {
      const heard = (news: PeerNews) => {
        if (news.is === 'progress') onProgress(news.bytes);
      };
      child.on('message', heard);
      const end = next(child, ({ is }) => is === 'done' || is === 'failed');
      child.send({ receive: Grant.toJSON(grant) });
      try {
        return (await end) as Extract<PeerNews, { is: 'done' | 'failed' }>;
      } finally {
        child.off('message', heard);
      }
    },
    async usage() {
      const told = next(child, (news) => 'maxRssBytes' in news);
      child.send('usage');
      return (await told) as unknown as Usage;
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function next(child: ChildProcess, wanted: (news: PeerNews) => boolean): Promise<PeerNews> {
  return new Promise((resolve, reject) => {
    const heard = (news: PeerNews) => {
      if (!wanted(news)) return;
      end();
      resolve(news);
    };
    const gone = () => {
      end();
      reject(new Error('the process of the peer ended'));
    };
    const end = () => {
      child.off('message', heard);
      child.off('exit', gone);
    };
    child.on('message', heard);
    child.on('exit', gone);
  });
}
