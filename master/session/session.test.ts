// Sessions over the real listener, with an agent made by hand.
import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AegirError } from '../../shared/error.ts';
import { ActionResult, DetectedService, type Hello } from '../../shared/gen/aegir/v1/agent.ts';
import type { ServerRecord } from '../store/model.ts';
import type { ActionOrder, ActionRequest, PerformOptions } from './agents.ts';
import { dial, type HandAgent, inventory } from './testing/hand-agent.ts';
import { createRig, type Identity, type Rig } from './testing/rig.ts';

const MESH_KEY = `U${'A'.repeat(55)}`;
const DIAGNOSE: ActionRequest = { $case: 'diagnose', value: { masterTime: undefined, services: [], hostOnly: false } };
const nginx = DetectedService.fromPartial({ type: 'http', engine: 'nginx', version: '1.22', manageable: true });

let rig: Rig;
const onInventory = vi.fn(async (_serverId: string) => {});
const denied: string[][] = [];
const meshCredentials = vi.fn(async (server: ServerRecord, meshKey: string) => ({
  jwt: `${server.id} ${meshKey}`,
  servers: ['tls://127.0.0.1:4222'],
  expiresAt: new Date(Date.now() + 3_600_000),
  grantKey: '',
}));
const open: HandAgent[] = [];

beforeAll(async () => {
  rig = await createRig({
    onInventory,
    meshCredentials,
    denied: (_, path, code) => void denied.push([path, code]),
    heartbeatSeconds: 1,
    timing: { helloMs: 400, seenMs: 300, cutMs: 200 },
  });
});
afterEach(() => {
  for (const agent of open.splice(0)) agent.close();
  onInventory.mockClear();
  meshCredentials.mockClear();
});
afterAll(() => rig.close());

function connect(identity: Identity): HandAgent {
  const agent = dial(rig, identity);
  open.push(agent);
  return agent;
}

async function joined(state: ServerRecord['state'] = 'accepted') {
  const identity = await rig.server(state);
  const agent = connect(identity);
  const welcome = await agent.hello();
  return { identity, agent, welcome, serverId: identity.serverId };
}

function order(id: string = randomUUID(), changes: Partial<ActionOrder> = {}): ActionOrder {
  const expiresAt = rig.now() + 60_000;
  const taskId = 'task-0123456789abcdef';
  return {
    id,
    attempt: 1,
    generation: 1,
    resource: 'server',
    taskId,
    step: 0,
    urgent: false,
    expiresAt,
    request: DIAGNOSE,
    ...changes,
  };
}

function options(changes: Partial<PerformOptions> = {}): PerformOptions {
  return { signal: new AbortController().signal, onEvent: () => {}, onWaiting: () => {}, ...changes };
}

function beat(agent: HandAgent, rssBytes = 1n): void {
  agent.say({ $case: 'heartbeat', value: { time: new Date(), rssBytes, cpuMillis: 0n, meshState: 'connected' } });
}

function hello(agent: HandAgent, changes: Partial<Hello> = {}): void {
  const base = { protocol: 1, bootId: 'boot', inventory: inventory(), openActions: [], meshKey: '' };
  const value = { ...base, highestGeneration: 0n, ...changes };
  agent.say({ $case: 'hello', value });
}

describe('opening', () => {
  test('Hello stores the inventory and is welcomed', async () => {
    const identity = await rig.server();
    const agent = connect(identity);
    expect(await agent.hello({ services: [nginx], meshKey: MESH_KEY })).toMatchObject({
      serverState: 'accepted',
      heartbeatSeconds: 1,
      inventorySeconds: 300,
      masters: ['127.0.0.1:7444'],
      enrolAddresses: ['127.0.0.1:7445'],
    });
    const { serverId } = identity;
    expect(rig.sessions.isConnected(serverId)).toBe(true);
    expect(await rig.store.services.find({ serverId })).toMatchObject([{ engine: 'nginx', state: 'detected' }]);
    const server = await rig.store.servers.get(serverId);
    expect(server).toMatchObject({ facts: { hostname: 'web1.example.org' } });
    expect(rig.now() - (server?.lastSeenAt ?? 0)).toBeLessThan(5000);
    await vi.waitFor(() => expect(onInventory).toHaveBeenCalledWith(serverId));
    agent.stream.cancel();
    await vi.waitFor(() => expect(rig.sessions.isConnected(serverId)).toBe(false));
  });

  test('an agent that hangs up is answered in kind', async () => {
    const { agent } = await joined();
    agent.stream.end();
    expect((await agent.status).code).toBe(status.OK);
  });

  interface BadStart {
    readonly what: string;
    readonly code: status;
    readonly details: RegExp;
    act(agent: HandAgent): void;
  }
  const badStarts: readonly BadStart[] = [
    { what: 'silence', code: status.DEADLINE_EXCEEDED, details: /no Hello/, act() {} },
    { what: 'another first message', code: status.INVALID_ARGUMENT, details: /Hello comes first/, act: beat },
    {
      what: 'another protocol',
      code: status.FAILED_PRECONDITION,
      details: /protocol 2/,
      act: (agent) => hello(agent, { protocol: 2 }),
    },
    {
      what: 'no inventory',
      code: status.INVALID_ARGUMENT,
      details: /it is missing/,
      act: (agent) => hello(agent, { inventory: undefined }),
    },
    {
      what: 'Hello twice',
      code: status.INVALID_ARGUMENT,
      details: /twice/,
      act: (agent) => {
        hello(agent);
        hello(agent);
      },
    },
  ];
  test.each(badStarts)('$what ends the stream', async ({ act, code, details }) => {
    const agent = connect(await rig.server());
    act(agent);
    expect(await agent.status).toMatchObject({ code, details: expect.stringMatching(details) });
  });

  test('the newest session of a server replaces the older', async () => {
    const { identity, agent, serverId } = await joined();
    const second = connect(identity);
    await second.hello();
    expect((await agent.hear('goodbye')).reason).toBe('replaced');
    expect((await agent.status).code).toBe(status.ABORTED);
    expect(rig.sessions.isConnected(serverId)).toBe(true);
    const asked = rig.sessions.ask(serverId, DIAGNOSE, 5000);
    second.ok((await second.hear('action')).id);
    await expect(asked).resolves.toMatchObject({ outcome: { $case: 'ok' } });
  });

  test('too many sessions in a short time are refused', async () => {
    const identity = await rig.server();
    const ends: HandAgent[] = [];
    for (let i = 0; i < 40; i++) ends.push(connect(identity));
    const codes = (await Promise.all(ends.map((agent) => agent.status))).map(({ code }) => code);
    expect(codes).toContain(status.RESOURCE_EXHAUSTED);
  });
});

describe('an agent that has seen more than the store has', () => {
  test('is believed: later leases are above it', async () => {
    const identity = await rig.server('accepted');
    await connect(identity).hello({ highestGeneration: 5_000n });
    expect(await rig.store.tasks.raiseEpoch(5_000)).toBe(false);
    // What cannot be is not.
    const liar = await rig.server('accepted');
    await connect(liar).hello({ highestGeneration: 2n ** 63n });
    expect(await rig.store.tasks.raiseEpoch(5_001)).toBe(true);
  });
});

describe('staying', () => {
  test('an agent that says what it has over and over is sent away, and what it said last is kept', async () => {
    const { agent, serverId } = await joined();
    for (let i = 0; i < 100; i++) agent.say({ $case: 'inventory', value: inventory() });
    expect(await agent.status).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: 'cannot take the inventory: too many in a short time; wait a minute',
    });
    expect(rig.sessions.isConnected(serverId)).toBe(false);
    expect(await rig.store.servers.get(serverId)).toBeDefined();
  });

  test('heartbeats keep it, tell vitals, and are written now and then; silence ends it', async () => {
    const { agent, serverId } = await joined();
    const before = (await rig.store.servers.get(serverId))?.lastSeenAt ?? 0;
    const update = vi.spyOn(rig.store.servers, 'update');
    for (let i = 0; i < 15; i++) {
      beat(agent, 80_000_000n);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(rig.sessions.vitals(serverId)).toEqual({ rssBytes: 80_000_000, meshState: 'connected' });
    expect((await rig.store.servers.get(serverId))?.lastSeenAt ?? 0).toBeGreaterThan(before);
    const writes = update.mock.calls.filter(([id]) => id === serverId).length;
    update.mockRestore();
    expect(writes).toBeGreaterThanOrEqual(1);
    expect(writes).toBeLessThanOrEqual(3);
    const since = Date.now();
    expect(await agent.status).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(Date.now() - since).toBeGreaterThan(2000);
    expect(rig.sessions.vitals(serverId)).toBeUndefined();
  });

  test('an identity that ended elsewhere ends the session at a heartbeat', async () => {
    const { agent, identity } = await joined();
    await rig.store.certificates.update(identity.serial, { notAfter: rig.now() - 1 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    beat(agent);
    expect((await agent.status).code).toBe(status.UNAUTHENTICATED);
  });

  test('inventories reconcile; who asks for one waits for what follows from it', async () => {
    const { agent, serverId } = await joined();
    agent.say({ $case: 'inventory', value: inventory([nginx]) });
    await vi.waitFor(async () => expect(await rig.store.services.find({ serverId })).toHaveLength(1));
    let followed = false;
    onInventory.mockImplementation(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      followed = true;
    });
    const refreshed = rig.sessions.refreshInventory(serverId, 5000).then(() => followed);
    await agent.hear('takeInventory');
    agent.say({ $case: 'inventory', value: inventory() });
    expect(await refreshed).toBe(true);
    onInventory.mockReset();
    expect(await rig.store.services.find({ serverId })).toMatchObject([{ state: 'missing', stateBefore: 'detected' }]);
  });

  test('an inventory that never comes, and one that is wrong', async () => {
    const { agent, serverId } = await joined();
    await expect(rig.sessions.refreshInventory(serverId, 100)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    const refreshed = rig.sessions.refreshInventory(serverId, 5000);
    agent.say({ $case: 'inventory', value: inventory([nginx, nginx]) });
    await expect(refreshed).rejects.toMatchObject({ code: 'invalid_argument' });
    expect((await agent.status).code).toBe(status.INVALID_ARGUMENT);
    await expect(rig.sessions.refreshInventory(serverId, 100)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('mesh credentials come at Hello and when asked for', async () => {
    const identity = await rig.server();
    const agent = connect(identity);
    await agent.hello({ meshKey: MESH_KEY });
    expect((await agent.hear('mesh')).jwt).toBe(`${identity.serverId} ${MESH_KEY}`);
    const other = `U${'B'.repeat(55)}`;
    agent.say({ $case: 'mesh', value: { meshKey: other } });
    expect((await agent.hear('mesh')).jwt).toBe(`${identity.serverId} ${other}`);
    agent.say({ $case: 'mesh', value: { meshKey: 'SUSECRET' } });
    expect((await agent.status).code).toBe(status.INVALID_ARGUMENT);
  });
});

test("an agent that names another's mesh key is told, noted, and is not taken for revoked", async () => {
  const { identity, agent } = await joined();
  const why = 'cannot give leave to use the mesh: another server has or had that key';
  meshCredentials.mockRejectedValueOnce(new AegirError('failed_precondition', why));
  agent.say({ $case: 'mesh', value: { meshKey: `U${'C'.repeat(55)}` } });
  expect(await agent.status).toMatchObject({ code: status.FAILED_PRECONDITION, details: why });
  expect(agent.unheard('goodbye')).toBe(0);
  expect(denied).toEqual([['/aegir.v1.AgentService/Session', 'failed_precondition']]);
  // With a key of its own it is welcome.
  const again = connect(identity);
  await again.hello({ meshKey: MESH_KEY });
  expect((await again.hear('mesh')).jwt).toContain(identity.serverId);
});

describe('actions', () => {
  test('are delivered across a lost connection, told once, acknowledged', async () => {
    const { identity, agent, serverId } = await joined();
    const onWaiting = vi.fn();
    const onEvent = vi.fn();
    const mine = order();
    const delivered = rig.sessions.perform(serverId, mine, options({ onWaiting, onEvent }));
    expect(await agent.hear('action')).toMatchObject({ id: mine.id, attempt: 1, generation: 1n });
    const event = { actionId: mine.id, seq: 1n, time: new Date() };
    const body = { $case: 'log' as const, value: { level: 'info', text: 'begun' } };
    agent.say({ $case: 'event', value: { ...event, body } });
    await vi.waitFor(() => expect(onEvent).toHaveBeenCalledTimes(1));
    agent.stream.cancel();
    await vi.waitFor(() => expect(onWaiting).toHaveBeenCalledTimes(1));

    const again = connect(identity);
    await again.hello({ openActions: [mine.id] });
    expect(await again.hear('action')).toMatchObject({ id: mine.id, attempt: 2 });
    again.say({ $case: 'event', value: { ...event, body } });
    again.ok(mine.id, { changes: ['one'] });
    const { result, acknowledge } = await delivered;
    expect(result.changes).toEqual(['one']);
    expect(onEvent).toHaveBeenCalledTimes(1);
    expect(again.unheard('ack')).toBe(0);
    acknowledge();
    expect((await again.hear('ack')).actionId).toBe(mine.id);
    // The acknowledgement was lost on the way: the agent repeats its answer, and is answered.
    again.ok(mine.id);
    expect((await again.hear('ack')).actionId).toBe(mine.id);
  });

  test('a result of before a restart of the master meets its action', async () => {
    const { agent, serverId } = await joined();
    const mine = order();
    agent.ok(mine.id, { changes: ['earlier'] });
    beat(agent, 5n);
    await vi.waitFor(() => expect(rig.sessions.vitals(serverId)?.rssBytes).toBe(5));
    const { result } = await rig.sessions.perform(serverId, mine, options());
    expect(result.changes).toEqual(['earlier']);
    expect(agent.unheard('action')).toBe(0);
  });

  test('one agent answers for itself alone', async () => {
    const a = await joined();
    const b = await joined();
    const mine = order();
    const delivered = rig.sessions.perform(b.serverId, mine, options());
    await b.agent.hear('action');
    a.agent.ok(mine.id, { changes: ['forged'] });
    const event = { actionId: mine.id, seq: 1n, time: new Date() };
    a.agent.say({ $case: 'event', value: { ...event, body: { $case: 'log', value: { level: 'info', text: '' } } } });
    beat(a.agent, 5n);
    await vi.waitFor(() => expect(rig.sessions.vitals(a.serverId)?.rssBytes).toBe(5));
    b.agent.ok(mine.id, { changes: ['own'] });
    expect((await delivered).result.changes).toEqual(['own']);
  });

  test('a question is asked once', async () => {
    const { agent, serverId } = await joined();
    const answer = rig.sessions.ask(serverId, DIAGNOSE, 5000);
    const asked = await agent.hear('action');
    expect(asked).toMatchObject({ taskId: '', request: DIAGNOSE });
    agent.ok(asked.id, { changes: ['would change'] });
    expect(ActionResult.toJSON(await answer)).toMatchObject({ changes: ['would change'] });
    await expect(rig.sessions.ask(serverId, DIAGNOSE, 50)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    const late = await agent.hear('action');
    expect((await agent.hear('cancel')).actionId).toBe(late.id);
    const lost = rig.sessions.ask(serverId, DIAGNOSE, 5000);
    const refused = expect(lost).rejects.toMatchObject({ code: 'unavailable' });
    await agent.hear('action');
    agent.stream.cancel();
    await refused;
    await expect(rig.sessions.ask(serverId, DIAGNOSE, 50)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a server that is not there, and an action too big', async () => {
    const none = 'srv-zzzzzzzzzzzzzzzz';
    await expect(rig.sessions.perform(none, order(), options())).rejects.toMatchObject({ code: 'not_found' });
    const { serverId } = await joined();
    const request: ActionRequest = {
      $case: 'verifyPlatform',
      value: { platform: { id: '', app: '', root: 'x'.repeat(4 * 1024 * 1024) } },
    };
    const big = rig.sessions.perform(serverId, order(undefined, { request }), options());
    await expect(big).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(rig.sessions.isConnected(serverId)).toBe(true);
  });
});

describe('a pending server', () => {
  test('gets no action and no mesh until it is accepted', async () => {
    const identity = await rig.server('pending');
    const { serverId } = identity;
    const agent = connect(identity);
    expect((await agent.hello({ meshKey: MESH_KEY })).serverState).toBe('pending');
    const onWaiting = vi.fn();
    const mine = order();
    const delivered = rig.sessions.perform(serverId, mine, options({ onWaiting }));
    await vi.waitFor(() => expect(onWaiting).toHaveBeenCalled());
    await expect(rig.sessions.ask(serverId, DIAGNOSE, 1000)).rejects.toMatchObject({ code: 'failed_precondition' });
    agent.ok(mine.id, { changes: ['made up'] });
    agent.say({ $case: 'mesh', value: { meshKey: MESH_KEY } });
    beat(agent, 5n);
    await vi.waitFor(() => expect(rig.sessions.vitals(serverId)?.rssBytes).toBe(5));
    expect(agent.heard.map(({ $case }) => $case)).toEqual(['welcome']);
    expect(meshCredentials).not.toHaveBeenCalled();

    await rig.store.servers.update(serverId, { state: 'accepted' });
    const refreshed = rig.sessions.refreshInventory(serverId, 5000);
    await agent.hear('takeInventory');
    agent.say({ $case: 'inventory', value: inventory([nginx]) });
    await refreshed;
    expect((await agent.hear('action')).id).toBe(mine.id);
    expect((await agent.hear('mesh')).jwt).toContain(serverId);
    agent.ok(mine.id, { changes: ['done'] });
    expect((await delivered).result.changes).toEqual(['done']);
  });

  test('that was accepted meanwhile need not wait to be told', async () => {
    const { agent, serverId } = await joined('pending');
    await rig.store.servers.update(serverId, { state: 'accepted' });
    const mine = order();
    void rig.sessions.perform(serverId, mine, options()).catch(() => {});
    expect((await agent.hear('action')).id).toBe(mine.id);
  });
});
