// What a kind of step is made of. One handler per kind; do and undo may both be repeated after a crash at any point.
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import type { StepArgs, StepKind } from '../plan/plan.ts';
import type { JsonObject } from '../store/model.ts';

/** What do or undo answers; waits and retries are values, failures are thrown (AegirError). */
export type Outcome =
  | { readonly is: 'done'; readonly result?: JsonObject }
  /** The task sleeps, durably, and the same step runs again at `at` (ms since 1970). */
  | { readonly is: 'wait'; readonly at: number; readonly why: string };

export interface StepContext {
  readonly taskId: string;
  readonly step: number;
  /** From 1; grows only after a definite end of the attempt before. */
  readonly attempt: number;
  /** Generation of this run's actions: the task's lease epoch. */
  readonly generation: number;
  readonly actor: string;
  /** Aborted when the task is cancelled (do only), the lease is lost or the master stops. */
  readonly signal: AbortSignal;
  /** When do of this step first began, ms since 1970. */
  readonly startedAt: number;
  /** Visitors wait for this step. */
  readonly urgent: boolean;
  /** What do gave back, in undo. */
  readonly result: JsonObject | null;
  /** Results of the steps before, by index. */
  readonly results: ReadonlyMap<number, JsonObject>;
  now(): number;
  emit(body: NonNullable<Event['body']>): void;
  /**
   * Called after the runner made the outcome durable; register it for what may be forgotten then (acknowledging an
   * agent's result).
   */
  afterDurable(callback: () => void): void;
}

export interface StepHandler<K extends StepKind> {
  readonly kind: K;
  do(args: StepArgs[K], ctx: StepContext): Promise<Outcome>;
  /** Required, or none with a reason. Must be harmless when do never began, or stopped anywhere. */
  readonly undo: ((args: StepArgs[K], ctx: StepContext) => Promise<Outcome>) | { readonly none: string };
  /**
   * A person gave the task up with this step begun and not undone: its records must not go on saying that somebody
   * works on them. May be repeated; touches no agent.
   */
  givenUp?(args: StepArgs[K]): Promise<void>;
  /**
   * Takes back what was saved with the task for this step, where the task ends and no step of it began. May be repeated;
   * touches no agent.
   */
  neverBegan?(args: StepArgs[K]): Promise<void>;
  /** What do would change now, for --plan. Reads only. */
  preview?(args: StepArgs[K], signal: AbortSignal): Promise<readonly string[]>;
}

export type Handlers = { readonly [K in StepKind]: StepHandler<K> };
