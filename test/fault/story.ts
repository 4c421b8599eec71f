// Whether the events of an ended task tell all that happened: its beginning, each step's turns in an order that can be,
// its end, and nothing that differs from what the store holds.
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import type { Finished } from '../e2e/machine.ts';

/** What is wrong with the story; empty when it is whole. */
export function gapsIn({ task, events }: Finished): string[] {
  const gaps: string[] = [];
  const turns = turnsOf(events);
  const own = turns.get(undefined) ?? [];
  if (own[0]?.from !== 'queued') gaps.push(`the task's story begins at ${own[0]?.from ?? 'nothing'}`);
  if (own.at(-1)?.to !== task.state) gaps.push(`the task is ${task.state}, its story ends at ${own.at(-1)?.to}`);
  if (task.finishedAt === undefined) gaps.push('the task has ended at no time');
  for (const step of task.steps) {
    const told = turns.get(step.index) ?? [];
    const last = told.at(-1)?.to ?? 'not_run';
    if (last !== step.state) gaps.push(`step ${step.index} is ${step.state}, its story ends at ${last}`);
    if (step.state === 'done' && told[0]?.to !== 'doing') gaps.push(`step ${step.index} is done but never began`);
  }
  for (let i = 1; i < events.length; i++) {
    if ((events[i]?.seq ?? 0n) <= (events[i - 1]?.seq ?? 0n)) gaps.push(`event ${i} is out of order`);
  }
  return gaps;
}

interface Turn {
  readonly from: string;
  readonly to: string;
}

function turnsOf(events: readonly Event[]): Map<number | undefined, Turn[]> {
  const turns = new Map<number | undefined, Turn[]>();
  for (const { step, body } of events) {
    if (body?.$case !== 'state') continue;
    const told = turns.get(step) ?? [];
    turns.set(step, [...told, body.value]);
  }
  return turns;
}
