// One object from one agent to another, as part of a step: a grant for each attempt, and the receiver's action.
import { AegirError } from '../../shared/error.ts';
import type { TransferFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import type { Outcome, StepContext } from './handler.ts';
import { type HandlerDeps, readServer } from './parts.ts';
import { perform } from './perform.ts';

/** See GrantBody in mesh.proto. */
export interface TransferOrder {
  readonly senderId: string;
  readonly receiverId: string;
  readonly kind: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly maxBytes: number;
  readonly bytesPerSecond?: number;
}

export type GrantMaker = (order: TransferOrder) => Promise<Grant>;

export type Transferred = { readonly facts: TransferFacts } | { readonly again: Outcome };

/**
 * May be repeated: what the receiver has is not sent again. `again` when the grant ended before the transfer did: the
 * step answers with it, and its next attempt goes on under a new one.
 */
export async function transfer(deps: HandlerDeps, ctx: StepContext, order: TransferOrder): Promise<Transferred> {
  if (deps.grant === undefined) {
    throw new AegirError(
      'failed_precondition',
      'cannot move anything between servers: this master has no mesh; set listen.mesh in its configuration',
    );
  }
  const { name } = await readServer(deps.store, order.senderId);
  const { output } = await perform(deps, ctx, 'do', order.receiverId, `transfer/${order.kind}/${order.name}`, {
    $case: 'receiveObject',
    value: { grant: await deps.grant(order), senderName: name },
  });
  const facts = output.transfer;
  if (facts === undefined) {
    throw new AegirError('internal', 'cannot read how the transfer went: the agent did not say; compare versions');
  }
  if (facts.complete) return { facts };
  if (facts.receivedBytes === 0n) {
    throw new AegirError(
      'deadline_exceeded',
      `cannot move ${order.kind} ${order.name}: nothing came before its grant ended`,
    );
  }
  return { again: { is: 'wait', at: ctx.now(), why: 'the transfer goes on under a new grant' } };
}
