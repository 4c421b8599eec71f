// Follows a task to its end, over broken connections, and shows it.
import { AegirError } from '../../shared/error.ts';
import { type Task, TaskServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import type { Message } from '../../shared/gen/aegir/v1/event.ts';
import { displayName } from '../../shared/name.ts';
import type { Connection } from './connection.ts';
import type { Out } from './output.ts';
import { createTaskView } from './task-view.ts';

const RETRY_MS = 1000;
const MAX_SILENT_RETRIES = 60;
const STUCK_LOOKS = 5;
const STUCK_LOOK_MS = 200;

export interface Watched {
  readonly task: Task;
  readonly messages: readonly Message[];
}

/** Follows until the task has ended, or is stuck and needs a person; a broken connection is taken up again where it stopped. Draws on stderr. */
export async function watchTask(connection: Connection, out: Out, taskId: string, verbose: boolean): Promise<Watched> {
  const first = await connection.call(TaskServiceService.getTask, { taskId });
  const view = createTaskView(out, first, verbose);
  if (first.behind !== '') {
    view.note(`it waits for ${await told(first.behind)}; to give this one up: aegir task cancel ${taskId}`);
  }
  const messages: Message[] = [];
  let afterSeq = 0n;
  const interrupted = () => {
    view.end();
    out.stderr.write(`\nThe task goes on; see: aegir task watch ${taskId}\n`);
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  try {
    await follow();
  } finally {
    process.off('SIGINT', interrupted);
  }
  view.end();
  return { task: await connection.call(TaskServiceService.getTask, { taskId }), messages };

  async function told(id: string): Promise<string> {
    const older = await connection.call(TaskServiceService.getTask, { taskId: id }).catch(() => undefined);
    return older === undefined ? id : `${id} (${older.verb} of ${displayName(older.subject)}), which came before`;
  }

  /** It is told before it is recorded, and it may be long over: then the task has gone on. */
  async function isStuck(): Promise<boolean> {
    for (let looks = 0; looks < STUCK_LOOKS; looks++) {
      if (looks > 0) await new Promise((resolve) => setTimeout(resolve, STUCK_LOOK_MS));
      if ((await connection.call(TaskServiceService.getTask, { taskId })).state === 'stuck') return true;
    }
    return false;
  }

  async function follow(): Promise<void> {
    for (let failures = 0; ; ) {
      try {
        for await (const event of connection.stream(TaskServiceService.watchTask, { taskId, afterSeq })) {
          afterSeq = event.seq;
          failures = 0;
          if (event.body?.$case === 'message') messages.push(event.body.value);
          view.show(event);
          if (event.step === undefined && event.body?.$case === 'state' && event.body.value.to === 'stuck') {
            if (await isStuck()) return;
          }
        }
        return;
      } catch (thrown) {
        // A master that stops cancels its streams.
        const lost = thrown instanceof AegirError && (thrown.code === 'unavailable' || thrown.code === 'cancelled');
        if (!lost) throw thrown;
        if (failures >= MAX_SILENT_RETRIES) {
          const why = `cannot follow the task any longer: ${thrown.message}; it goes on when the master does; `;
          throw new AegirError('unavailable', `${why}see: aegir task watch ${taskId}`, { cause: thrown });
        }
        failures += 1;
        if (failures === 1) view.note('connection lost, trying again; the task goes on meanwhile');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
