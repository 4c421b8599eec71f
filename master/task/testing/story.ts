// Whether the events of a task tell all that happened, in an order that can be, and nothing that the store denies.
import type { Event, StateChange } from '../../../shared/gen/aegir/v1/event.ts';
import type { StepRecord, TaskRecord } from '../../store/model.ts';

export interface Told {
  readonly task: TaskRecord;
  readonly steps: readonly StepRecord[];
  readonly events: readonly Event[];
}

/** What is wrong with the story; empty when it is whole. */
export function gapsIn({ task, steps, events }: Told): string[] {
  const gaps: string[] = [];
  const own = turnsOf(events, undefined);
  if (own[0]?.from !== 'queued') gaps.push(`it begins with ${own[0]?.from ?? 'nothing'}`);
  if (own.at(-1)?.to !== task.state) gaps.push(`the task is ${task.state}, told is ${own.at(-1)?.to}`);
  gaps.push(...leapsIn('task', own));
  for (const step of steps) {
    const turns = turnsOf(events, step.index);
    const last = turns.at(-1)?.to ?? 'pending';
    if (last !== step.state) gaps.push(`step ${step.index} is ${step.state}, told is ${last}`);
    gaps.push(...leapsIn(`step ${step.index}`, turns));
    const silent = turns.find((turn) => turn.to === 'failed' && turn.reason === '');
    if (silent !== undefined) gaps.push(`step ${step.index} failed, and why is not told`);
  }
  const undoing = own.find((turn) => turn.to === 'undoing');
  if (task.undoCause === 'failure' && (undoing === undefined || undoing.reason === ''))
    gaps.push('it was undone, and why is not told');
  if (task.state === 'failed' && task.reason === '') gaps.push('it failed without a reason');
  return gaps;
}

/** Turns that begin elsewhere than the one before ended; a crash may tell the same turn twice. */
function leapsIn(what: string, turns: readonly StateChange[]): string[] {
  return turns.flatMap((turn, i) => {
    const before = turns[i - 1];
    if (before === undefined || turn.from === before.to) return [];
    if (turn.from === before.from && turn.to === before.to) return [];
    return [`${what} is told ${before.from} -> ${before.to}, then ${turn.from} -> ${turn.to}`];
  });
}

export function turnsOf(events: readonly Event[], step: number | undefined): StateChange[] {
  return events.flatMap((event) => (event.step === step && event.body?.$case === 'state' ? [event.body.value] : []));
}
