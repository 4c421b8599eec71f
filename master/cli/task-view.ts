// The live view of a task: step lines, progress bars on a terminal, plain lines elsewhere, a word after each silence.
import type { Task } from '../../shared/gen/aegir/v1/admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import { displayNames } from '../../shared/name.ts';
import { type Out, safe } from './output.ts';

const BAR_CELLS = 24;
/** Of silence, after which one says that a step goes on; twice as long from one to the next. */
const FIRST_PAUSE_MS = 10_000;
const LAST_PAUSE_MS = 5 * 60_000;

export interface TaskView {
  show(event: Event): void;
  note(text: string): void;
  end(): void;
}

export function createTaskView(out: Out, task: Task, verbose: boolean): TaskView {
  const live = out.stderr.isTTY === true;
  const steps = task.plan?.steps ?? [];
  let drawn = false;
  /** Something was heard or said last, and how long after it one says that it goes on. ms */
  let [heardAt, pause] = [performance.now(), FIRST_PAUSE_MS];
  /** Of the step that is being done: since when, and how far it is. */
  let working: { readonly step: number; readonly since: number; fraction: number; label: string } | undefined;
  const clear = () => {
    if (drawn) out.stderr.write('\r\u001b[2K');
    drawn = false;
  };
  const line = (text: string) => {
    clear();
    out.stderr.write(`${safe(text)}\n`);
    heardAt = performance.now();
    pause = FIRST_PAUSE_MS;
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
    const summary = displayNames(steps[step ?? -1]?.summary ?? '');
    const works = step !== undefined && (to === 'doing' || to === 'undoing');
    [heardAt, pause] = [performance.now(), FIRST_PAUSE_MS];
    working = works ? { step, since: performance.now(), fraction: 0, label: summary } : undefined;
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
  const draw = (step: number, fraction: number, label: string, spent = '') => {
    const full = Math.round(Math.max(0, Math.min(1, fraction)) * BAR_CELLS);
    const bar = `${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}`;
    const text = `  ${number(step)} ${bar} ${Math.round(fraction * 100)}% ${safe(label)}${spent}`;
    clear();
    out.stderr.write(text.slice(0, Math.max(20, (out.stderr.columns ?? 80) - 1)));
    drawn = true;
  };
  /** Nobody is to ask himself whether it goes on: what a step says meanwhile is for terminals, and some say nothing. */
  const goesOn = () => {
    if (working === undefined || performance.now() - heardAt < pause) return;
    const { step, since, fraction, label } = working;
    const spent = ` (for ${elapsed(performance.now() - since)})`;
    if (live) return draw(step, fraction, label, spent);
    const next = 2 * pause;
    const far = fraction === 0 ? '' : ` ${Math.round(fraction * 100)}%`;
    line(`      still at it:${far} ${displayNames(label)}${spent}`);
    pause = Math.min(next, LAST_PAUSE_MS);
  };
  const looking = setInterval(goesOn, 1000);
  looking.unref();
  return {
    show: (event) => {
      const { body, step } = event;
      endBroken(event);
      if (body?.$case === 'state') showState(step, body.value.to, body.value.reason);
      else if (body?.$case === 'progress' && step !== undefined) {
        const { fraction, label } = body.value;
        if (working?.step === step) Object.assign(working, { fraction, label });
        if (live) {
          heardAt = performance.now();
          draw(step, fraction, label);
        }
      } else if (body?.$case === 'log') {
        const { level, text } = body.value;
        if (level === 'warn' || level === 'error' || (verbose && level !== 'debug'))
          line(`      ${level === 'info' ? '' : `${level}: `}${displayNames(text)}`);
      } else if (body?.$case === 'message' && body.value.kind === 'todo') line(`      to do: ${body.value.text}`);
    },
    note: (text) => line(`  (${text})`),
    end: () => {
      clearInterval(looking);
      endBroken();
      clear();
    },
  };
}

/** Of time spent, for people. */
function elapsed(millis: number): string {
  const seconds = Math.round(millis / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
