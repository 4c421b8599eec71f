// Who waits at a gate gets an answer: nobody is held for longer than the web server lets wait through a reload.
import { expect, test } from 'vitest';
import type { ActionContext } from '../engine/engine.ts';
import { createEngines } from '../engine/engines.ts';
import { createFakeHost } from '../host/fake.ts';
import type { Room } from '../host/host.ts';
import { SITE_ID, serviceRef } from '../testing/requests.ts';
import type { Tools } from './action.ts';
import { createSetGate } from './set-gate.ts';

const FACTS = {
  ...{ phase: 'hold', waiting: 0n, held: 0n, longestMillis: 0n, forwarded: 0n, refused: 0n, failed: 0n },
  ...{ lastAt: undefined, holdingSince: undefined },
};

function setGate(phase: 'hold' | 'refuse', room: Room) {
  const host = createFakeHost({ daemons: [{ name: 'nginx', room: async () => room }] });
  const ctx: ActionContext = {
    ...{ host, signal: new AbortController().signal, failpoint: () => {} },
    ...{ log: () => {}, progress: () => {}, message: () => {} },
  };
  const asked: number[] = [];
  const set: Tools['gates']['set'] = async ({ maxHeld }) => {
    asked.push(maxHeld);
    return FACTS;
  };
  const tools = { engines: createEngines(), gates: { set } } as unknown as Tools;
  const request = {
    ...{ service: serviceRef({ type: 'http', engine: 'nginx' }), siteId: SITE_ID, phase, upstream: undefined },
    ...{ maxHeld: 10_000, maxHoldMillis: 60_000 },
  };
  return createSetGate()
    .run(request, ctx, tools, { resumed: false, hide: () => {} })
    .then(() => asked);
}

test.each<[string, Room]>([
  ['lets wait as long as it likes', { requests: 300 }],
  ['lets wait that long', { requests: 300, ends: { afterMs: 60_000, by: 'worker_shutdown_timeout' } }],
])('visitors are held, no more than have room, where the web server %s', async (_, room) => {
  expect(await setGate('hold', room)).toEqual([300]);
});

test('visitors are not held where the web server would end them without an answer', async () => {
  const ends = { afterMs: 30_000, by: 'worker_shutdown_timeout' };
  await expect(setGate('hold', { requests: 300, ends })).rejects.toThrow(
    /cannot hold visitors for up to 60 s: .* 30 s after a reload.*worker_shutdown_timeout.*--max-hold 30s/,
  );
  // Those that wait already go on.
  expect(await setGate('refuse', { requests: 300, ends })).toEqual([300]);
});
