// Events: gathered for a moment, made durable in one write, then whoever watches is told to read. Watchers always read
// from the store, so a watch has no gap and no duplicate, and a slow watcher costs no memory.
import { Event } from '../../shared/gen/aegir/v1/event.ts';
import { ENDED_TASK_STATES, type EventRecord, type JsonObject } from '../store/model.ts';
import type { Store } from '../store/store.ts';

export type EventBody = NonNullable<Event['body']>;

export interface EventSealer {
  seal(id: string, text: string): string;
  unseal(id: string, sealed: string): string;
}

export interface EventBus {
  emit(taskId: string, step: number | null, body: EventBody): void;
  /** Resolves when everything emitted so far is durable. */
  flush(): Promise<void>;
  /** The task's record was changed here: who watches it looks at once, for example to see that it has ended. */
  look(taskId: string): void;
  /** What is kept after afterSeq, then what comes; ends when the task has ended and everything was given. */
  watch(taskId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<Event>;
  close(): Promise<void>;
}

export interface EventBusDeps {
  readonly store: Store;
  readonly sealer: EventSealer;
  now(): number;
  /** What could not be written in spite of retries. */
  onLost(count: number, cause: unknown): void;
}

const GATHER_MS = 20;
const MAX_BATCH = 200;
const MAX_QUEUE = 20_000;
const MAX_TEXT = 4096;
const MAX_LABEL = 200;
const READ_AT_ONCE = 500;
// Another master may have written: without its notice we look this often.
const LOOK_MS = 1000;

export function createEventBus(deps: EventBusDeps): EventBus {
  const { store, sealer } = deps;
  const queue: Omit<EventRecord, 'seq'>[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const listeners = new Set<(taskId: string) => void>();

  const write = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.splice(0, MAX_BATCH);
      try {
        await store.events.append(batch);
      } catch (cause) {
        deps.onLost(batch.length, cause);
        continue;
      }
      for (const taskId of new Set(batch.map((event) => event.taskId))) for (const tell of listeners) tell(taskId);
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(write);
    return writing;
  };

  return {
    emit: (taskId, step, body) => {
      if (queue.length >= MAX_QUEUE) {
        deps.onLost(1, new Error('the queue of events is full'));
        return;
      }
      queue.push({ taskId, step, time: deps.now(), body: toStored(taskId, body, sealer) });
      if (queue.length >= MAX_BATCH) void flush();
      else timer ??= setTimeout(() => void flush(), GATHER_MS);
    },
    flush,
    look: (taskId) => {
      for (const tell of listeners) tell(taskId);
    },
    async *watch(taskId, afterSeq, signal) {
      let after = afterSeq;
      let told = () => {};
      let news = false;
      const listener = (about: string) => {
        if (about !== taskId) return;
        news = true;
        told();
      };
      listeners.add(listener);
      try {
        while (!signal.aborted) {
          news = false;
          // Ended before the read: then the read sees everything, since events are written before a task ends.
          const ended = await hasEnded(store, taskId);
          const events = await store.events.list(taskId, after, READ_AT_ONCE);
          for (const event of events) {
            after = event.seq;
            yield fromStored(event, sealer);
          }
          if (events.length > 0 || news) continue;
          if (ended) return;
          await new Promise<void>((resolve) => {
            const wake = setTimeout(resolve, LOOK_MS);
            told = () => {
              clearTimeout(wake);
              resolve();
            };
            signal.addEventListener('abort', told, { once: true });
          });
          signal.removeEventListener('abort', told);
        }
      } finally {
        listeners.delete(listener);
      }
    },
    close: flush,
  };
}

async function hasEnded(store: Store, taskId: string): Promise<boolean> {
  const task = await store.tasks.get(taskId);
  return task === undefined || (ENDED_TASK_STATES as readonly string[]).includes(task.state);
}

/** Links and secrets are sealed; texts are bounded. */
function toStored(taskId: string, body: EventBody, sealer: EventSealer): JsonObject {
  if (body.$case === 'message' && body.value.value !== '') {
    const value = sealer.seal(taskId, body.value.value);
    return asJson(bounded({ $case: 'message', value: { ...body.value, value } }));
  }
  return asJson(bounded(body));
}

function bounded(body: EventBody): EventBody {
  switch (body.$case) {
    case 'log':
      return { $case: 'log', value: { ...body.value, text: cut(body.value.text, MAX_TEXT) } };
    case 'message':
      return { $case: 'message', value: { ...body.value, text: cut(body.value.text, MAX_TEXT) } };
    case 'state':
      return { $case: 'state', value: { ...body.value, reason: cut(body.value.reason, MAX_TEXT) } };
    case 'progress':
      return { $case: 'progress', value: { ...body.value, label: cut(body.value.label, MAX_LABEL) } };
  }
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}

const EMPTY = { seq: 0n, taskId: '', step: undefined, time: undefined } as const;

function asJson(body: EventBody): JsonObject {
  return Event.toJSON({ ...EMPTY, body }) as JsonObject;
}

function fromStored(record: EventRecord, sealer: EventSealer): Event {
  const { body } = Event.fromJSON(record.body);
  const event: Event = {
    seq: BigInt(record.seq),
    taskId: record.taskId,
    step: record.step ?? undefined,
    time: new Date(record.time),
    body,
  };
  if (body?.$case !== 'message' || body.value.value === '') return event;
  return {
    ...event,
    body: { $case: 'message', value: { ...body.value, value: sealer.unseal(record.taskId, body.value.value) } },
  };
}
