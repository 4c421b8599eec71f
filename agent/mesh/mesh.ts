// The ports to the mesh: as a session sees it (which key to vouch for, credentials in, state out), and as transfers do.
import type { MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';

export interface Mesh {
  /** Public nkey of this agent, "U…"; empty for none. */
  key(): string;
  /** New leave from the master; (re)connects. */
  update(credentials: MeshCredentials): void;
  state(): 'connected' | 'disconnected' | 'off';
  close(): Promise<void>;
}

/** What a message is: a question of a receiver, or what a sender gives. */
export type Word = 'ask' | 'give';

/** One connection to the mesh, until it is lost. */
export interface Link {
  /**
   * As this agent, to that server. Held back in memory until the node takes it: see flush. The data is the link's from then
   * on. Throws unavailable when the link is lost.
   */
  send(to: string, word: Word, transfer: string, data: Uint8Array): void;
  /**
   * Messages to this agent, from one server or from all ('*'), of one transfer or of all ('*'). Who sent it is what the
   * mesh vouches for. on must not throw; from OWN_BYTES on (let-go.ts) the data is its own. Answers how to stop.
   */
  hear(
    from: string,
    word: Word,
    transfer: string,
    on: (from: string, transfer: string, data: Uint8Array) => void,
  ): () => void;
  /** Resolves when the node has taken all that was sent before. Rejects when the link is lost. */
  flush(): Promise<void>;
  /** Aborted when the link is lost. */
  readonly lost: AbortSignal;
}

export interface Links {
  /** The link there is now, if there is one. */
  current(): Link | undefined;
  /** Told of the link there is, and of every later one. Answers how to stop. */
  onLink(told: (link: Link) => void): () => void;
  /** Public nkey that signs grants; empty for none yet. */
  grantKey(): string;
}
