import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AegirError } from '../shared/error.ts';
import type { Action, ActionResult } from '../shared/gen/aegir/v1/agent.ts';
import { createActions } from './action/actions.ts';
import type { App, InstallState } from './app/app.ts';
import { createDispatch, type DispatchOptions } from './dispatch.ts';
import { createFakeHost } from './host/fake.ts';
import { type Journal, openJournal } from './journal.ts';
import { createUplink } from './session/uplink.ts';
import { createFakeEngine } from './testing/fake-engine.ts';
import { noBackups } from './testing/no-backups.ts';
import { noCron } from './testing/no-cron.ts';
import { noGates } from './testing/no-gates.ts';
import { noStores } from './testing/no-stores.ts';
import { noTransfers } from './testing/no-transfers.ts';
import { action, applyDb, dbSpec, PASSWORD, SERVER_ID, SITE_ID, serviceRef, siteSpec } from './testing/requests.ts';
import { createUpstream, type UpstreamItem } from './upstream.ts';

let dir = '';
let journals: Journal[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-dispatch-'));
});
afterEach(() => {
  for (const journal of journals) journal.close();
  journals = [];
  rmSync(dir, { recursive: true, force: true });
});

/** A dispatch on the journal in dir, with one fake engine; each boot is one life of the agent. */
function boot(name: string, part: Partial<DispatchOptions> & { apps?: readonly App[]; now?: () => number } = {}) {
  const now = part.now ?? Date.now;
  const journal = openJournal(dir, { boot: name, serverId: SERVER_ID, now });
  journals.push(journal);
  const upstream = createUpstream();
  const engine = createFakeEngine();
  const reached: string[] = [];
  const logged: string[] = [];
  const dispatch = createDispatch({
    host: createFakeHost(),
    tools: {
      serverId: SERVER_ID,
      agentVersion: '0',
      engines: [engine],
      apps: part.apps ?? [],
      cron: noCron,
      transfers: noTransfers,
      backups: noBackups,
      stores: noStores,
      gates: noGates,
      uplink: createUplink(),
      now,
    },
    actions: createActions(),
    journal,
    upstream,
    failpoint: (point) => reached.push(point),
    log: pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
    boot: name,
    ...part,
  });
  const items: UpstreamItem[] = [];
  const gather = () => {
    for (let item = upstream.take(); item !== undefined; item = upstream.take()) items.push(item);
  };
  const results = (id: string): ActionResult[] => {
    gather();
    return items.flatMap((item) => (item.kind === 'result' && item.result.actionId === id ? [item.result] : []));
  };
  return {
    dispatch,
    journal,
    upstream,
    engine,
    reached,
    logged,
    items,
    results,
    /** The nth result of an action. */
    result: async (id: string, nth = 1): Promise<ActionResult> => {
      await vi.waitFor(() => expect(results(id).length).toBeGreaterThanOrEqual(nth));
      return results(id)[nth - 1] as ActionResult;
    },
    close() {
      journal.close();
      journals = journals.filter((each) => each !== journal);
    },
  };
}

const code = (result: ActionResult) =>
  result.outcome?.$case === 'error' ? result.outcome.value.code : (result.outcome?.$case ?? 'none');
const message = (result: ActionResult) => (result.outcome?.$case === 'error' ? result.outcome.value.message : '');

describe('dispatch', () => {
  test('runs an action, journals it, tells its changes and its failpoints', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a'));
    (await agent.engine.run(1)).finish();
    const result = await agent.result('a');
    expect(result).toMatchObject({ changes: ['make database'], outcome: { $case: 'ok' } });
    expect(agent.journal.look('a')?.result).toEqual(result);
    expect(agent.dispatch.openActions()).toEqual(['a']);
    expect(agent.reached).toEqual(
      [
        'agent.action.received',
        'agent.journal.started',
        'agent.change',
        'agent.action.done',
        'agent.journal.result',
      ].map((point) => `${point}:apply-db`),
    );
    agent.dispatch.acknowledge('a');
    expect(agent.dispatch.openActions()).toEqual([]);
  });

  test('answers a repeat from the journal, also in a later boot, and never runs it twice', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a'));
    (await agent.engine.run(1)).finish();
    const first = await agent.result('a');
    agent.dispatch.receive({ ...applyDb('a'), attempt: 2 });
    expect(await agent.result('a', 2)).toEqual(first);
    agent.close();
    const later = boot('b2');
    expect(await later.result('a')).toEqual(first); // by itself, until acknowledged
    later.dispatch.receive({ ...applyDb('a'), attempt: 3, expiresAt: new Date(0) });
    expect(await later.result('a', 2)).toEqual(first);
    expect(agent.engine.runs.length + later.engine.runs.length).toBe(1);
  });

  test('attaches a repeat to what runs', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a', 1n));
    const run = await agent.engine.run(1);
    agent.dispatch.receive(applyDb('a', 3n));
    expect(run.ctx.signal.aborted).toBe(false);
    run.finish();
    expect(code(await agent.result('a'))).toBe('ok');
    expect(agent.engine.runs.length).toBe(1);
    agent.dispatch.receive(applyDb('b', 2n)); // the repeat raised the fence
    expect(message(await agent.result('b'))).toMatch(/stale/);
  });

  test('refuses a stale generation, also in a later boot, and does not advise to repeat it', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a', 5n));
    (await agent.engine.run(1)).finish();
    await agent.result('a');
    agent.close();
    const later = boot('b2');
    later.dispatch.receive(applyDb('b', 4n));
    const result = await later.result('b');
    expect(result.outcome).toMatchObject({ $case: 'error', value: { code: 'aborted', retryable: false } });
    expect(message(result)).toMatch(/stale/);
    expect(later.engine.runs.length).toBe(0);
    later.dispatch.receive(applyDb('c', 4n, { resource: 'site/another' }));
    await later.engine.run(1);
  });

  test.each([
    ['an older generation', 1n, 2n],
    ['the same generation', 2n, 2n],
  ])('an action of %s on the resource gives way: aborted, awaited, then the new one', async (_name, old, next) => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('old', old));
    const first = await agent.engine.run(1);
    const order: string[] = [];
    first.ctx.signal.addEventListener('abort', () => order.push('aborted'));
    agent.dispatch.receive(applyDb('new', next));
    const second = await agent.engine.run(2);
    order.push('new runs');
    second.finish();
    expect(order).toEqual(['aborted', 'new runs']);
    expect(code(await agent.result('old'))).toBe('aborted');
    expect(message(await agent.result('old'))).toContain('new');
    expect(code(await agent.result('new'))).toBe('ok');
  });

  test('what waits for the resource gives way too, for good', async () => {
    const agent = boot('b1', { limit: 1 });
    agent.dispatch.receive(applyDb('busy', 1n, { resource: 'site/other' }));
    const busy = await agent.engine.run(1);
    agent.dispatch.receive(applyDb('waiting', 1n));
    agent.dispatch.receive(applyDb('new', 2n));
    expect(code(await agent.result('waiting'))).toBe('aborted');
    busy.finish();
    (await agent.engine.run(2)).finish();
    expect(code(await agent.result('new'))).toBe('ok');
    agent.dispatch.receive(applyDb('waiting', 2n));
    expect(code(await agent.result('waiting', 2))).toBe('aborted');
    expect(agent.engine.runs.length).toBe(2);
  });

  test('runs at most so many at a time, the rest in order', async () => {
    const agent = boot('b1', { limit: 2 });
    for (const id of ['a', 'b', 'c']) agent.dispatch.receive(applyDb(id, 1n, { resource: `site/${id}` }));
    const a = await agent.engine.run(1);
    await agent.engine.run(2);
    expect(agent.journal.look('c')).toBeUndefined();
    expect(agent.engine.runs.length).toBe(2);
    a.finish();
    (await agent.engine.run(3)).finish();
    expect(code(await agent.result('c'))).toBe('ok');
  });

  test('what visitors wait for has a place, but not beside another one at the same', async () => {
    const agent = boot('b1', { limit: 1 });
    agent.dispatch.receive(applyDb('a', 1n, { resource: 'site/a' }));
    const a = await agent.engine.run(1);
    agent.dispatch.receive(applyDb('b', 1n, { resource: 'site/b' }));
    agent.dispatch.receive(applyDb('more', 1n, { resource: 'site/a', urgent: true }));
    agent.dispatch.receive(applyDb('urgent', 1n, { resource: 'site/c', urgent: true }));
    const urgent = await agent.engine.run(2);
    expect(['b', 'more'].map((id) => agent.journal.look(id))).toEqual([undefined, undefined]);
    urgent.finish();
    expect(code(await agent.result('urgent'))).toBe('ok');
    a.finish();
    for (const run of [3, 4]) (await agent.engine.run(run)).finish();
    for (const id of ['b', 'more']) expect(code(await agent.result(id))).toBe('ok');
  });

  test('refuses more than it can hold, and says that it is worth a repeat', async () => {
    const agent = boot('b1', { limit: 1, maxWaiting: 1 });
    for (const id of ['a', 'b', 'c']) agent.dispatch.receive(applyDb(id, 1n, { resource: `site/${id}` }));
    const result = await agent.result('c');
    expect(result.outcome).toMatchObject({ value: { code: 'resource_exhausted', retryable: true } });
  });

  test('does not start what has expired, neither at once nor after waiting', async () => {
    let now = 1_000;
    const agent = boot('b1', { limit: 1, now: () => now });
    agent.dispatch.receive(applyDb('late', 1n, { expiresAt: new Date(999) }));
    expect(code(await agent.result('late'))).toBe('deadline_exceeded');
    agent.dispatch.receive(applyDb('a', 1n, { resource: 'site/a', expiresAt: new Date(2_000) }));
    const run = await agent.engine.run(1);
    agent.dispatch.receive(applyDb('b', 1n, { resource: 'site/b', expiresAt: new Date(2_000) }));
    now = 3_000;
    run.finish();
    expect(code(await agent.result('b'))).toBe('deadline_exceeded');
    expect(agent.engine.runs.length).toBe(1);
  });

  test('refuses what is malformed as a result, not by a throw', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(action('bad', undefined));
    expect(code(await agent.result('bad'))).toBe('invalid_argument');
    agent.dispatch.receive(applyDb('x y'));
    expect(code(await agent.result('x y'))).toBe('invalid_argument');
    expect(agent.dispatch.openActions()).toEqual([]);
  });

  test('cancels what runs, what waits, and what a former boot left', async () => {
    const agent = boot('b1', { limit: 1 });
    agent.dispatch.receive(applyDb('runs'));
    await agent.engine.run(1);
    agent.dispatch.receive(applyDb('waits', 1n, { resource: 'site/other' }));
    agent.dispatch.cancel('waits');
    expect(code(await agent.result('waits'))).toBe('cancelled');
    agent.dispatch.cancel('runs');
    expect(code(await agent.result('runs'))).toBe('cancelled');
    agent.journal.started('left', 1n, 'site/left');
    agent.dispatch.cancel('left');
    expect(code(await agent.result('left'))).toBe('cancelled');
    agent.dispatch.receive(applyDb('left'));
    expect(code(await agent.result('left', 2))).toBe('cancelled');
    agent.dispatch.cancel('never heard of');
    expect(code(await agent.result('never heard of'))).toBe('cancelled');
    expect(agent.engine.runs.length).toBe(1);
  });

  test('what gets on may take as long as it takes; what does not is ended, and may be tried again', async () => {
    const taskLimitMs = 200;
    const agent = boot('b1', { taskLimitMs });
    agent.dispatch.receive(applyDb('large'));
    const large = await agent.engine.run(1);
    const until = performance.now() + 3 * taskLimitMs;
    while (performance.now() < until) {
      large.ctx.progress(0, 'a little more');
      await new Promise((resolve) => setTimeout(resolve, taskLimitMs / 20));
    }
    expect(large.ctx.signal.aborted).toBe(false);
    large.finish();
    expect(code(await agent.result('large'))).toBe('ok');
    agent.dispatch.receive(applyDb('hangs', 2n));
    const result = await agent.result('hangs');
    expect(result.outcome).toMatchObject({ value: { code: 'deadline_exceeded', retryable: true } });
    expect(message(result)).toMatch(/it did not get on for longer than an action may/);
  });

  test('an error of the engine is the result, with its code', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a'));
    (await agent.engine.run(1)).fail(new AegirError('failed_precondition', 'cannot make database: no room'));
    const result = await agent.result('a');
    expect(result.outcome).toMatchObject({
      value: { code: 'failed_precondition', message: 'cannot make database: no room', retryable: false },
    });
  });

  test('stopping takes nothing more in, aborts what is left, and leaves it to the next boot', async () => {
    const agent = boot('b1', { limit: 1 });
    agent.dispatch.receive(applyDb('a'));
    const run = await agent.engine.run(1);
    agent.dispatch.receive(applyDb('b', 1n, { resource: 'site/b' }));
    const stopped = agent.dispatch.stop(20);
    agent.dispatch.receive(applyDb('c', 1n, { resource: 'site/c' }));
    await stopped;
    expect(run.ctx.signal.aborted).toBe(true);
    for (const id of ['a', 'b', 'c']) expect(agent.results(id)).toEqual([]);
    expect(agent.dispatch.openActions()).toEqual(['a']);
    agent.close();
    const later = boot('b2');
    expect(later.dispatch.openActions()).toEqual(['a']);
    later.dispatch.receive(applyDb('a'));
    (await later.engine.run(1)).finish();
    expect(code(await later.result('a'))).toBe('ok');
  });

  test('stopping lets what ends in time end', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a'));
    const run = await agent.engine.run(1);
    const stopped = agent.dispatch.stop(10_000);
    run.finish();
    await stopped;
    expect(code(await agent.result('a'))).toBe('ok');
  });

  test('no secret leaves by logs, events, errors or changes', async () => {
    const agent = boot('b1');
    agent.engine.plan = async () => [
      {
        summary: `set ${PASSWORD}`,
        run: async (ctx) => {
          ctx.log('info', `password is ${PASSWORD}`);
          ctx.progress(0.5, `with ${PASSWORD}`);
          ctx.message({ kind: 'link', text: 'open', value: 'http://x/secret-link', expiresAt: undefined });
          ctx.log('warn', 'went to http://x/secret-link');
          throw new AegirError('internal', `cannot use ${PASSWORD}`, { cause: new Error(`at ${PASSWORD}`) });
        },
      },
    ];
    agent.dispatch.receive(applyDb('a'));
    const result = await agent.result('a');
    const everything = JSON.stringify([agent.items, result], (_k, v) => (typeof v === 'bigint' ? `${v}` : v));
    expect(message(result)).toBe('cannot use [secret]');
    expect(everything).not.toContain(JSON.stringify(PASSWORD).slice(1, -1));
    expect(agent.logged.join('')).not.toContain(JSON.stringify(PASSWORD).slice(1, -1));
    expect(agent.logged.join('')).not.toContain('secret-link');
    // The person's message itself carries the link, and nothing else does.
    expect(everything.split('secret-link').length - 1).toBe(1);
  });
});

describe('questions without a task', () => {
  const preview = (id: string): Action =>
    action(
      id,
      { $case: 'apply', value: { service: serviceRef(), preview: true, spec: { $case: 'db', value: dbSpec() } } },
      { taskId: '', resource: '', generation: 0n, expiresAt: undefined },
    );

  test('are answered with summaries, beside a running change, and leave no trace', async () => {
    const agent = boot('b1');
    agent.dispatch.receive(applyDb('a', 9n));
    await agent.engine.run(1);
    agent.dispatch.receive(preview('q'));
    expect(await agent.result('q')).toMatchObject({ changes: ['make database'], outcome: { $case: 'ok' } });
    expect(agent.dispatch.openActions()).toEqual(['a']);
    expect(agent.engine.runs.length).toBe(1);
  });
});

describe('install-site', () => {
  const install = (id: string) => action(id, { $case: 'installSite', value: { site: siteSpec({ id: SITE_ID }) } });

  function app(state: InstallState) {
    const calls: string[] = [];
    const it = {
      name: 'wordpress',
      installState: async () => state,
      wipe: async () => void calls.push('wipe'),
      install: async () => void calls.push('install'),
      loginLink: async () => ({ url: 'http://example.org/once', expiresAt: new Date(5) }),
    } as unknown as App;
    return { it, calls };
  }

  test.each<[InstallState, boolean, string, string[]]>([
    ['absent', false, 'ok', ['install']],
    ['partial', false, 'ok', ['wipe', 'install']],
    ['installed', false, 'already_exists', []],
    ['absent', true, 'ok', ['install']],
    ['partial', true, 'ok', ['wipe', 'install']],
    ['installed', true, 'ok', []],
  ])('state %s, begun in a former boot %s: %s', async (state, resumed, expected, calls) => {
    const { it, calls: done } = app(state);
    const agent = boot('b2', { apps: [it] });
    if (resumed) {
      agent.close();
      const former = openJournal(dir, { boot: 'b1', serverId: SERVER_ID, now: Date.now });
      former.started('i', 1n, `site/${SITE_ID}`);
      former.close();
    }
    const now = resumed ? boot('b2', { apps: [it] }) : agent;
    now.dispatch.receive(install('i'));
    expect(code(await now.result('i'))).toBe(expected);
    expect(done).toEqual(calls);
  });

  test('a login link comes as a message in the result', async () => {
    const agent = boot('b1', { apps: [app('installed').it] });
    agent.dispatch.receive(action('l', { $case: 'loginLink', value: { site: siteSpec(), account: '' } }));
    const result = await agent.result('l');
    expect(result.outcome).toMatchObject({
      value: { messages: [{ kind: 'link', value: 'http://example.org/once', expiresAt: new Date(5) }] },
    });
    expect(agent.logged.join('')).not.toContain('http://example.org/once');
  });
});
