// The port to the mesh, as a session sees it: which key to vouch for, credentials in, state out.
import type { MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';

export interface Mesh {
  /** Public nkey of this agent, "U…"; empty for none. */
  key(): string;
  /** New leave from the master; (re)connects. */
  update(credentials: MeshCredentials): void;
  state(): 'connected' | 'disconnected' | 'off';
  close(): Promise<void>;
}
