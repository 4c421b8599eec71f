// What a preview says of steps that agents refuse.
import { expect, test } from 'vitest';
import { AegirError, type ErrorCode } from '../../shared/error.ts';
import type { Plan } from '../plan/plan.ts';
import type { Handlers } from './handler.ts';
import { previewPlan } from './preview.ts';

const step = (kind: string, index: number) => ({
  ...{ kind, args: { index }, summary: '', serverId: null, undo: { none: '' } },
});

/** Answers of the agents, step by step: a change, nothing, or an error of that code. */
async function previewed(kind: string, ...answers: readonly (ErrorCode | 'change' | '')[]) {
  const preview = async ({ index }: { index: number }) => {
    const answer = answers[index] ?? '';
    if (answer === 'change') return ['something'];
    if (answer === '') return [];
    throw new AegirError(answer, 'cannot do it: no');
  };
  const handlers = { [kind]: { kind, preview } } as unknown as Handlers;
  const plan = { steps: answers.map((_, index) => step(kind, index)) } as unknown as Plan;
  const told = await previewPlan(plan, handlers, new AbortController().signal);
  return told.map(({ note, refusal }) => [note, refusal?.code]);
}

test('what an agent refuses is told as refused', async () => {
  expect(await previewed('http.publish', '', 'failed_precondition')).toEqual([
    ['', undefined],
    ['refused: cannot do it: no', 'failed_precondition'],
  ]);
});

test('a database that cannot be followed is copied, and refuses nothing', async () => {
  expect(await previewed('replica.open', 'failed_precondition')).toEqual([
    ['not followed, but copied once more while visitors wait: no', undefined],
  ]);
  expect(await previewed('replica.open', 'unavailable')).toEqual([['not known: cannot do it: no', undefined]]);
});

test.each<readonly [string, Parameters<typeof previewed>]>([
  ['an agent that is away', ['http.publish', 'unavailable']],
  ['a step that another one before may make possible', ['http.publish', 'change', 'failed_precondition']],
  ['a verify, which goes on past it', ['verify.part', 'failed_precondition']],
])('%s is not known, and no refusal', async (_, args) => {
  expect((await previewed(...args)).at(-1)).toEqual(['not known: cannot do it: no', undefined]);
});
