// A name that leaves a name server is waited for until the public is answered by others.
import { expect, test } from 'vitest';
import { AegirError } from '../../../shared/error.ts';
import { graphOf, ids, service, snapshot } from '../../../test/records.ts';
import type { StepContext } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { skipMark } from '../skip-mark.ts';
import { createDnsAwait } from './dns-await.ts';

const bind = service('svc-0123456789abcde9', ids.db1, 'dns', 'bind', 53);
const services = [...snapshot.services, bind];
const RECORDS = [{ name: 'example.org', type: 'A', ttl: 3600, data: '192.0.2.11' }];

/** missing: what a person has still to set. */
const deps = (missing: readonly string[]): HandlerDeps =>
  ({
    store: {
      services: { get: async (id: string) => services.find((each) => each.id === id) },
      settings: { get: async () => undefined },
    },
    agents: {
      ask: async () => ({ actionId: '', changes: missing, outcome: { $case: 'ok', value: { messages: [] } } }),
    },
    graph: async () => graphOf({ services }),
  }) as unknown as HandlerDeps;
const { signal } = new AbortController();
const ctx = { now: () => 5_000, startedAt: 0, signal } as StepContext;

async function outcome(missing: readonly string[], mark: string | undefined | Error, leaves?: string) {
  const seen = async () => {
    if (mark instanceof Error) throw mark;
    return mark;
  };
  const args = { serviceId: ids.dns, siteId: ids.site, zone: '', records: RECORDS, ...(leaves ? { leaves } : {}) };
  return createDnsAwait(deps(missing), seen).do(args, ctx);
}

test('first what has to be set, then that the former service is asked no more', async () => {
  expect(await outcome(['set it'], undefined, bind.id)).toMatchObject({
    is: 'wait',
    why: 'the records are not set yet: set it',
  });
  expect(await outcome([], '_aegir.example.org', bind.id)).toMatchObject({
    ...{ is: 'wait', at: 6_000 },
    why: expect.stringMatching(/what db1\/bind has: delegate the zone elsewhere.*remove TXT _aegir\.example\.org/),
  });
  expect(await outcome([], undefined, bind.id)).toEqual({ is: 'done' });
});

test('who looks for long, or is away, is waited for with its why, and nothing is tried again as if it had failed', async () => {
  let within = 0;
  const slow = {
    ...deps([]),
    agents: {
      ask: async (_: string, __: unknown, timeoutMs: number) => {
        within = timeoutMs;
        throw new AegirError('unavailable', 'cannot ask web1: it is not connected', { retryable: true });
      },
    },
  } as unknown as HandlerDeps;
  const args = { serviceId: ids.dns, siteId: ids.site, zone: '', records: RECORDS };
  expect(await createDnsAwait(slow).do(args, ctx)).toMatchObject({
    ...{ is: 'wait', why: 'whether the records are set is not known: cannot ask web1: it is not connected' },
  });
  // The agent looks for up to 30 s where no name server answers.
  expect(within).toBeGreaterThan(30_000);
});

test('a person may have it go on without; not where a service takes back what the public asks it for', async () => {
  const kept = new Map([[skipMark('task-1', 3), { id: skipMark('task-1', 3), value: 'anne' }]]);
  const told: string[] = [];
  const after: (() => void)[] = [];
  const marked = (missing: readonly string[]) => {
    const { store, ...rest } = deps(missing);
    const settings = { get: async (id: string) => kept.get(id), delete: async (id: string) => kept.delete(id) };
    return { ...rest, store: { ...store, settings } } as unknown as HandlerDeps;
  };
  const own = {
    ...{ ...ctx, taskId: 'task-1', step: 3, emit: (body: unknown) => void told.push(JSON.stringify(body)) },
    afterDurable: (callback: () => void) => void after.push(callback),
  } as unknown as StepContext;
  const args = { serviceId: ids.dns, siteId: ids.site, zone: '', records: RECORDS };
  const wait = createDnsAwait(marked(['set it']));
  expect(await wait.do({ ...args, leaves: bind.id }, own)).toMatchObject({ is: 'wait' });
  expect(await wait.do(args, { ...own, step: 4 })).toMatchObject({ is: 'wait' });
  expect(await wait.do(args, own)).toEqual({ is: 'done' });
  expect(told.join()).toContain('anne said to go on without these records');
  // Only when the step's end is durable: a crash before it finds the word again.
  expect(kept.size).toBe(1);
  for (const callback of after) callback();
  expect(kept.size).toBe(0);
});

test('what cannot be known is waited for; who leaves nobody is not asked', async () => {
  const unknown = new AegirError('unavailable', 'cannot look _aegir.example.org up: ESERVFAIL');
  expect(await outcome([], unknown, bind.id)).toMatchObject({ is: 'wait', why: unknown.message });
  expect(await outcome([], unknown)).toEqual({ is: 'done' });
});
