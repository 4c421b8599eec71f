// A name that leaves a name server is waited for until the public is answered by others.
import { expect, test } from 'vitest';
import { AegirError } from '../../../shared/error.ts';
import { graphOf, ids, service, snapshot } from '../../../test/records.ts';
import type { StepContext } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { createDnsAwait } from './dns-await.ts';

const bind = service('svc-0123456789abcde9', ids.db1, 'dns', 'bind', 53);
const services = [...snapshot.services, bind];
const RECORDS = [{ name: 'example.org', type: 'A', ttl: 3600, data: '192.0.2.11' }];

/** missing: what a person has still to set. */
const deps = (missing: readonly string[]): HandlerDeps =>
  ({
    store: { services: { get: async (id: string) => services.find((each) => each.id === id) } },
    agents: {
      ask: async () => ({ actionId: '', changes: missing, outcome: { $case: 'ok', value: { messages: [] } } }),
    },
    graph: async () => graphOf({ services }),
  }) as unknown as HandlerDeps;
const ctx = { now: () => 5_000, startedAt: 0 } as StepContext;

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

test('what cannot be known is waited for; who leaves nobody is not asked', async () => {
  const unknown = new AegirError('unavailable', 'cannot look _aegir.example.org up: ESERVFAIL');
  expect(await outcome([], unknown, bind.id)).toMatchObject({ is: 'wait', why: unknown.message });
  expect(await outcome([], unknown)).toEqual({ is: 'done' });
});
