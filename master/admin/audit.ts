// The audit log: who called what, and how it ended. Reading calls are not kept.
import type { AdminDeps, Caller } from './deps.ts';

export async function audit(
  deps: AdminDeps,
  caller: Caller,
  method: string,
  subject: string,
  outcome: string,
): Promise<void> {
  await deps.store.audit.append({
    time: deps.now(),
    actor: caller.actor,
    method,
    subject: subject.slice(0, 300),
    outcome,
  });
}
