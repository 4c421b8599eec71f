// The connected agents, as the rest of the master sees them.
import type { Action, ActionEvent, ActionResult } from '../../shared/gen/aegir/v1/agent.ts';
import type { ExpectedUpload } from './uploads.ts';

export type ActionRequest = NonNullable<Action['request']>;

export interface ActionOrder {
  /** Names the action for ever: a repeat after a crash of the master has the same id. */
  readonly id: string;
  readonly attempt: number;
  readonly generation: number;
  /** What it is serialised by on the agent, for example site/site-…. */
  readonly resource: string;
  readonly taskId: string;
  readonly step: number;
  /** ms since 1970; the agent does not start it later. */
  readonly expiresAt: number;
  readonly request: ActionRequest;
  /** Visitors wait for it. */
  readonly urgent: boolean;
}

export interface PerformOptions {
  /**
   * Aborting asks the agent to cancel and rejects with cancelled once it answered, or after 30 s. Aborted with an
   * AegirError of another code than cancelled (the lease is lost, the master stops), the order is only let go and
   * rejects with that error: the action goes on, and its result meets whoever performs the same id next.
   */
  readonly signal: AbortSignal;
  readonly onEvent: (event: ActionEvent) => void;
  /** Told when there is no session and the order waits for one. */
  readonly onWaiting: () => void;
}

export interface Delivered {
  readonly result: ActionResult;
  /** Call once the result is durable; the agent then forgets the action. */
  acknowledge(): void;
}

export interface Agents {
  isConnected(serverId: string): boolean;
  connectedCount(): number;
  /** Resident memory and mesh state by the last heartbeat; undefined when not connected. */
  vitals(serverId: string): { readonly rssBytes: number; readonly meshState: string } | undefined;
  /**
   * Delivers at least once: waits for a session when there is none (until expiresAt: then throws unavailable), sends
   * again on every new session until a result came. At most `actionsPerAgent` (default 4) at a time per agent and lane
   * (shared/lane.ts); further ones queue. A result that is an error is a result, not a throw.
   */
  perform(serverId: string, order: ActionOrder, options: PerformOptions): Promise<Delivered>;
  /** Sends a preview or other reading action once, without journal; throws unavailable when not connected, deadline_exceeded after timeoutMs. */
  ask(serverId: string, request: ActionRequest, timeoutMs: number): Promise<ActionResult>;
  /** Waits for what an agent of the server is told to send. Throws resource_exhausted when too many are waited for. */
  expectUpload(serverId: string): ExpectedUpload;
  /** Asks for an inventory and resolves when a newer one was stored. */
  refreshInventory(serverId: string, timeoutMs: number): Promise<void>;
  /** Ends the server's open session at once (revocation). */
  disconnect(serverId: string, reason: 'revoked' | 'shutdown' | 'replaced'): void;
}
