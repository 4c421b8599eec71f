// The live view of a task: step lines, progress bars on a terminal, plain lines elsewhere, messages at the end.
import { AegirError } from '../../shared/error.ts';
import { type Task, TaskServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import type { Event, Message } from '../../shared/gen/aegir/v1/event.ts';
import { displayNames } from '../../shared/name.ts';
import type { Connection } from './connection.ts';
import { type Out, safe } from './output.ts';

const BAR_CELLS = 24;
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
  const view = createView(out, first, verbose);
  if (first.behind !== '') {
    view.note(`it waits for ${first.behind}, which is at the same; to give this one up: aegir task cancel ${taskId}`);
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

interface View {
  show(event: Event): void;
  note(text: string): void;
  end(): void;
}

function createView(out: Out, task: Task, verbose: boolean): View {
  const live = out.stderr.isTTY === true;
  const steps = task.plan?.steps ?? [];
  let drawn = false;
  const clear = () => {
    if (drawn) out.stderr.write('\r\u001b[2K');
    drawn = false;
  };
  const line = (text: string) => {
    clear();
    out.stderr.write(`${safe(text)}\n`);
  };
  // A step without an undo is passed over when the others are undone: nothing to tell.
  const undoes = (step: number) => steps[step] === undefined || steps[step].undo !== '';
  let undoable = false;
  /** The step that was begun last, and why it waits: said once, though it is looked at again every few seconds. */
  let begun: number | undefined;
  let waits: string | undefined;
  /** One that did not come to its end: only what follows says whether it failed, or somebody cancelled. */
  let broken: number | undefined;
  const number = (index: number) => `[${index + 1}/${steps.length}]`;
  line(displayNames(task.plan?.summary ?? task.verb));
  const showState = (step: number | undefined, to: string, reason: string) => {
    if (step === undefined) {
      if (to === 'undoing' && !undoable) return;
      if (to === 'waiting') {
        if (waits === reason) return;
        waits = reason;
      }
      if (to === 'waiting' || to === 'stuck' || to === 'undoing')
        line(`  ${to}${reason === '' ? '' : `: ${displayNames(reason)}`}`);
      return;
    }
    const summary = displayNames(steps[step]?.summary ?? '');
    if (to === 'doing') {
      undoable ||= undoes(step);
      const again = step === begun && waits !== undefined;
      if (!again) waits = undefined;
      begun = step;
      if (live) draw(step, 0, summary);
      else if (!again) line(`  ${number(step)} ${summary}`);
    } else if (to === 'done') {
      if (live) line(`  ${number(step)} done     ${summary}`);
    } else if (to === 'failed') broken = step;
    else if (!undoes(step)) return;
    else if (to === 'undoing') line(`  ${number(step)} undoing  ${summary}`);
    else if (to === 'undone' && live) line(`  ${number(step)} undone   ${summary}`);
  };
  const endBroken = (next?: Event) => {
    if (broken === undefined) return;
    const turn = next?.step === undefined && next?.body?.$case === 'state' ? next.body.value : undefined;
    const word = turn?.to === 'undoing' && turn.reason === '' ? 'cancelled ' : 'failed   ';
    line(`  ${number(broken)} ${word}${displayNames(steps[broken]?.summary ?? '')}`);
    broken = undefined;
  };
  const draw = (step: number, fraction: number, label: string) => {
    const full = Math.round(Math.max(0, Math.min(1, fraction)) * BAR_CELLS);
    const bar = `${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}`;
    const text = `  ${number(step)} ${bar} ${Math.round(fraction * 100)}% ${safe(label)}`;
    clear();
    out.stderr.write(text.slice(0, Math.max(20, (out.stderr.columns ?? 80) - 1)));
    drawn = true;
  };
  return {
    show: (event) => {
      const { body, step } = event;
      endBroken(event);
      if (body?.$case === 'state') showState(step, body.value.to, body.value.reason);
      else if (body?.$case === 'progress' && live && step !== undefined)
        draw(step, body.value.fraction, body.value.label);
      else if (body?.$case === 'log') {
        const { level, text } = body.value;
        if (level === 'warn' || level === 'error' || (verbose && level !== 'debug'))
          line(`      ${level === 'info' ? '' : `${level}: `}${displayNames(text)}`);
      } else if (body?.$case === 'message' && body.value.kind === 'todo') line(`      to do: ${body.value.text}`);
    },
    note: (text) => line(`  (${text})`),
    end: () => {
      endBroken();
      clear();
    },
  };
}
