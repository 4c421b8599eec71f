// Questions to an agent: previews and other actions that only read. Asked once, answered in the same session or not.
import { randomUUID } from 'node:crypto';
import { AegirError } from '../../shared/error.ts';
import type { ActionResult, MasterMessage } from '../../shared/gen/aegir/v1/agent.ts';
import type { ActionRequest } from './agents.ts';
import { boundResult } from './bound-reply.ts';

export interface Questions {
  ask(request: ActionRequest, timeoutMs: number): Promise<ActionResult>;
  /** False when the result answers no question. */
  answer(result: ActionResult): boolean;
  close(error: AegirError): void;
}

const MAX_OPEN = 32;
const PREFIX = 'ask/';

export function createQuestions(
  serverName: string,
  send: (body: NonNullable<MasterMessage['body']>) => void,
): Questions {
  const open = new Map<string, PromiseWithResolvers<ActionResult> & { readonly timer: NodeJS.Timeout }>();
  const forget = (id: string) => {
    const question = open.get(id);
    clearTimeout(question?.timer);
    open.delete(id);
    return question;
  };
  return {
    ask(request, timeoutMs) {
      if (open.size >= MAX_OPEN) {
        throw new AegirError('resource_exhausted', `cannot ask ${serverName}: too many questions are open; try later`, {
          retryable: true,
        });
      }
      const id = `${PREFIX}${randomUUID()}`;
      const answer = Promise.withResolvers<ActionResult>();
      const timer = setTimeout(() => {
        forget(id);
        send({ $case: 'cancel', value: { actionId: id } });
        answer.reject(
          new AegirError('deadline_exceeded', `cannot ask ${serverName}: no answer within ${timeoutMs / 1000} s`),
        );
      }, timeoutMs);
      open.set(id, { ...answer, timer });
      // No task and no expiry: the agent takes it as a question, keeps no record, and may have another clock.
      const action = {
        id,
        attempt: 1,
        generation: 0n,
        resource: '',
        expiresAt: undefined,
        taskId: '',
        step: 0,
        urgent: false,
        request,
      };
      send({ $case: 'action', value: action });
      return answer.promise;
    },
    answer(result) {
      if (!result.actionId.startsWith(PREFIX)) return false;
      forget(result.actionId)?.resolve(boundResult(result));
      return true;
    },
    close(error) {
      for (const id of [...open.keys()]) forget(id)?.reject(error);
    },
  };
}
