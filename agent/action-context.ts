// The context of one running action: what an engine says is masked, bounded and sent up.
import type { Failpoint } from '../shared/failpoint.ts';
import type { Message } from '../shared/gen/aegir/v1/event.ts';
import type { ActionContext } from './engine/engine.ts';
import type { Host } from './host/host.ts';
import { oneLine, type Redactor } from './redact.ts';
import type { EventBody } from './upstream.ts';

const MAX_LINE = 4096;
const MAX_LABEL = 200;
const MAX_MESSAGES = 20;
const MAX_VALUE = 4096;

export interface RunningContext {
  readonly ctx: ActionContext;
  /** What it said to the person, for the result. */
  readonly messages: readonly Message[];
}

export interface ContextOptions {
  readonly host: Host;
  readonly signal: AbortSignal;
  readonly failpoint: Failpoint;
  /** Label of the action, part of its failpoints' names. */
  readonly label: string;
  readonly redactor: Redactor;
  readonly emit: (body: EventBody) => void;
}

export function createActionContext(options: ContextOptions): RunningContext {
  const { redactor, emit } = options;
  const messages: Message[] = [];
  const ctx: ActionContext = {
    host: options.host,
    signal: options.signal,
    failpoint: (name) => options.failpoint(`${name}:${options.label}`),
    log(level, text) {
      emit({ $case: 'log', value: { level, text: oneLine(redactor.redact(text), MAX_LINE) } });
    },
    progress(fraction, label, transfer) {
      const bounded = Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
      emit({
        $case: 'progress',
        value: { fraction: bounded, label: oneLine(redactor.redact(label), MAX_LABEL), transfer },
      });
    },
    message(message) {
      if (messages.length >= MAX_MESSAGES) {
        ctx.log('warn', `a message for the person was dropped: an action may send ${MAX_MESSAGES}`);
        return;
      }
      const isSecret = message.kind === 'link' || message.kind === 'secret';
      // The value is for the person alone; from now on no log line may show it.
      if (isSecret) redactor.add(message.value);
      const bounded: Message = {
        ...message,
        text: oneLine(redactor.redact(message.text), MAX_LINE),
        value: message.value.slice(0, MAX_VALUE),
      };
      messages.push(bounded);
      emit({ $case: 'message', value: bounded });
    },
  };
  return { ctx, messages };
}
