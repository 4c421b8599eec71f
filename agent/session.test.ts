import { verify, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { RecoverRequest } from '../shared/gen/aegir/v1/agent.ts';
import { recoveryProof } from '../shared/recovery.ts';
import { createActions } from './action/actions.ts';
import { createDispatch, type Dispatch } from './dispatch.ts';
import { createFakeHost } from './host/fake.ts';
import { ownFiles } from './host-of.ts';
import { type AgentIdentity, createIdentityStore } from './identity.ts';
import { createInventory } from './inventory.ts';
import { type Journal, openJournal } from './journal.ts';
import { createNoMesh } from './mesh/no-mesh.ts';
import { createUplink } from './session/uplink.ts';
import { createSession, type Session, type SessionOptions } from './session.ts';
import { createAuthority, type TestAuthority } from './testing/authority.ts';
import { createFakeEngine, type FakeEngine } from './testing/fake-engine.ts';
import { startMaster, type TestMaster, type TestMasterOptions } from './testing/master.ts';
import { noBackups } from './testing/no-backups.ts';
import { noCron, noReports } from './testing/no-cron.ts';
import { noGates } from './testing/no-gates.ts';
import { noStores } from './testing/no-stores.ts';
import { noTransfers } from './testing/no-transfers.ts';
import { applyDb, SERVER_ID } from './testing/requests.ts';
import { createUpstream } from './upstream.ts';

let authority: TestAuthority;
let foreign: TestAuthority;
beforeAll(() => {
  authority = createAuthority();
  foreign = createAuthority();
});
afterAll(() => {
  authority.remove();
  foreign.remove();
});

let dir = '';
let masters: TestMaster[] = [];
let agents: TestAgent[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-session-'));
});
afterEach(async () => {
  for (const agent of agents) await agent.stop();
  for (const master of masters) await master.stop();
  masters = [];
  agents = [];
  rmSync(dir, { recursive: true, force: true });
});

async function master(part: Partial<TestMasterOptions> = {}): Promise<TestMaster> {
  const started = await startMaster({ authority, ...part });
  masters.push(started);
  return started;
}

interface TestAgent {
  readonly session: Session;
  readonly end: Promise<'stopped' | 'revoked'>;
  readonly engine: FakeEngine;
  readonly dispatch: Dispatch;
  readonly journal: Journal;
  readonly logged: string[];
  readonly reached: string[];
  stop(): Promise<void>;
}

function agent(
  addresses: readonly string[],
  part: Partial<SessionOptions> & { lifeSeconds?: number; enrolAddresses?: readonly string[] } = {},
): TestAgent {
  const log: string[] = [];
  const reached: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void log.push(line) });
  const pair = authority.issue(`aegir://${SERVER_ID}`, part.lifeSeconds ?? 86_400);
  const identity: AgentIdentity = {
    serverId: SERVER_ID,
    name: 'web1',
    ...pair,
    caPem: authority.caPem,
    masters: addresses,
    enrolAddresses: part.enrolAddresses ?? [],
  };
  const journal = openJournal(dir, { boot: 'b', serverId: SERVER_ID, now: Date.now });
  const host = createFakeHost();
  const engine = createFakeEngine();
  const upstream = createUpstream();
  const failpoint = (name: string) => void reached.push(name);
  const dispatch = createDispatch({
    host,
    tools: {
      serverId: SERVER_ID,
      agentVersion: '0',
      engines: [engine],
      apps: [],
      cron: noCron,
      transfers: noTransfers,
      backups: noBackups,
      stores: noStores,
      gates: noGates,
      uplink: createUplink(),
      now: Date.now,
    },
    actions: createActions(),
    journal,
    upstream,
    failpoint,
    log: logger,
    boot: 'b',
  });
  const inventory = createInventory({
    host,
    engines: [],
    detectors: [],
    agentVersion: '0',
    log: logger,
    now: Date.now,
  });
  const session = createSession({
    identity,
    store: createIdentityStore(ownFiles(), dir),
    bootId: 'b',
    dispatch,
    upstream,
    reports: noReports,
    inventory,
    mesh: createNoMesh(),
    failpoint,
    log: logger,
    now: Date.now,
    backoff: { minMs: 20, maxMs: 100 },
    welcomeMs: 2_000,
    ...part,
  });
  const end = session.run();
  const it: TestAgent = {
    session,
    end,
    engine,
    dispatch,
    journal,
    logged: log,
    reached,
    async stop() {
      session.stop();
      await end;
      await dispatch.stop(0);
      journal.close();
      agents = agents.filter((each) => each !== it);
    },
  };
  agents.push(it);
  return it;
}

describe('session', () => {
  test('says hello with inventory and open actions, then heartbeats', async () => {
    const there = await master();
    const journal = openJournal(dir, { boot: 'before', serverId: SERVER_ID, now: Date.now });
    journal.started('left', 1n, 'site/x');
    journal.close();
    agent([there.address]);
    const stream = await there.stream(1);
    const hello = await stream.waitFor('hello');
    expect(stream.received[0]).toBe(hello);
    expect(hello.value).toMatchObject({ protocol: 1, bootId: 'b', openActions: ['left'], meshKey: '' });
    expect(hello.value.inventory?.facts).toMatchObject({ hostname: 'fake.example', hostKind: 'systemd' });
    const beat = await stream.waitFor('heartbeat', 2);
    expect(beat.value.rssBytes).toBeGreaterThan(1_000_000n);
    expect(beat.value.meshState).toBe('off');
  });

  test('carries an action out: events before the result, the result again on every session until acknowledged', async () => {
    const there = await master();
    const it = agent([there.address]);
    const first = await there.stream(1);
    await first.waitFor('heartbeat');
    first.send({ $case: 'action', value: applyDb('a') });
    (await it.engine.run(1)).finish();
    const result = await first.waitFor('result');
    expect(result.value).toMatchObject({ actionId: 'a', changes: ['make database'] });
    const kinds = first.received.map((body) => body.$case);
    expect(kinds.lastIndexOf('event')).toBeLessThan(kinds.indexOf('result'));
    const numbers = first.received.flatMap((body) => (body.$case === 'event' ? [Number(body.value.seq)] : []));
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(it.reached).toContain('agent.result.sent:apply-db');

    first.end();
    const second = await there.stream(2);
    expect((await second.waitFor('hello')).value.openActions).toEqual(['a']);
    expect((await second.waitFor('result')).value).toEqual(result.value);
    second.send({ $case: 'ack', value: { actionId: 'a' } });
    await vi.waitFor(() => expect(it.journal.open()).toEqual([]));
    second.end();

    const third = await there.stream(3);
    await third.waitFor('heartbeat', 2);
    expect(third.received.some((body) => body.$case === 'result' || body.$case === 'event')).toBe(false);
    expect(it.engine.runs.length).toBe(1);
  });

  test('an action goes on while the master is away, and the master that comes back hears of it', async () => {
    const there = await master();
    const it = agent([there.address]);
    const first = await there.stream(1);
    await first.waitFor('heartbeat');
    first.send({ $case: 'action', value: applyDb('a') });
    const run = await it.engine.run(1);
    await there.stop();
    run.finish();
    await vi.waitFor(() => expect(it.journal.look('a')?.result).toBeDefined());
    const back = await master({ port: there.port });
    const stream = await back.stream(1);
    expect((await stream.waitFor('result')).value.actionId).toBe('a');
  });

  test('cancels, and takes an inventory, when told to', async () => {
    const there = await master();
    const it = agent([there.address]);
    const stream = await there.stream(1);
    await stream.waitFor('heartbeat');
    stream.send({ $case: 'action', value: applyDb('a') });
    await it.engine.run(1);
    stream.send({ $case: 'cancel', value: { actionId: 'a' } });
    expect((await stream.waitFor('result')).value.outcome).toMatchObject({ value: { code: 'cancelled' } });
    stream.send({ $case: 'takeInventory', value: {} });
    expect((await stream.waitFor('inventory')).value.facts?.hostname).toBe('fake.example');
  });

  test('tries all masters in order and settles at one that answers', async () => {
    const there = await master();
    const it = agent(['127.0.0.1:1', there.address]);
    await (await there.stream(1)).waitFor('heartbeat');
    expect(it.logged.join('')).toContain('"master":"127.0.0.1:1"');
  });

  test('keeps the masters that a welcome names', async () => {
    const other = await master();
    const there = await master({ welcome: false });
    agent([there.address]);
    const stream = await there.stream(1);
    await stream.waitFor('hello');
    const welcome = { serverState: 'accepted', serverName: 'web1', heartbeatSeconds: 1, inventorySeconds: 600 };
    stream.send({
      $case: 'welcome',
      value: { ...welcome, masters: [other.address, 'not an address', there.address], enrolAddresses: ['h:1', '!'] },
    });
    const store = createIdentityStore(ownFiles(), dir);
    await vi.waitFor(async () => {
      expect(await store.load()).toMatchObject({
        masters: [other.address, there.address],
        enrolAddresses: ['h:1'],
      });
    });
    stream.send({ $case: 'goodbye', value: { reason: 'shutdown' } });
    await (await other.stream(1)).waitFor('hello');
  });

  test('gives up on a master that does not welcome it, and dials again', async () => {
    const there = await master({ welcome: false });
    agent([there.address], { welcomeMs: 100 });
    await (await there.stream(1)).ended;
    await (await there.stream(2)).waitFor('hello');
  });

  test('stops for good when the master says that it is revoked', async () => {
    const there = await master();
    const it = agent([there.address]);
    const stream = await there.stream(1);
    await stream.waitFor('heartbeat');
    stream.send({ $case: 'goodbye', value: { reason: 'revoked' } });
    expect(await it.end).toBe('revoked');
    expect(it.logged.join('')).toContain('revoked this server');
    expect(there.streams.length).toBe(1);
  });

  test('stops for good when the stream is denied', async () => {
    const there = await master();
    const it = agent([there.address]);
    const stream = await there.stream(1);
    await stream.waitFor('heartbeat');
    stream.fail(status.PERMISSION_DENIED, 'the server is revoked');
    expect(await it.end).toBe('revoked');
  });

  test('waits before it replaces who replaced it', async () => {
    const there = await master();
    const it = agent([there.address], { backoff: { minMs: 20, maxMs: 400 } });
    const stream = await there.stream(1);
    await stream.waitFor('heartbeat');
    const before = performance.now();
    stream.send({ $case: 'goodbye', value: { reason: 'replaced' } });
    await there.stream(2);
    expect(performance.now() - before).toBeGreaterThan(190);
    expect(it.logged.join('')).toContain('took over');
  });

  test.each([
    ['an agent of the same authority', () => authority.issue('aegir://srv-000000000000000a')],
    ['a master of another authority', () => foreign.issue('aegir://master')],
  ])('tells nothing to %s', async (_name, issue) => {
    const there = await master({ pair: issue() });
    const it = agent([there.address]);
    await vi.waitFor(() => expect(it.logged.filter((line) => line.includes('session over')).length).toBeGreaterThan(2));
    expect(there.streams.length).toBe(0);
  });

  test('renews the certificate with a new key and opens a new session with it', async () => {
    const there = await master({
      onRenew: ({ csrPem }) => ({
        certificatePem: authority.sign(csrPem, `aegir://${SERVER_ID}`),
        caPem: authority.caPem,
      }),
    });
    const it = agent([there.address], { lifeSeconds: 3 });
    const first = await there.stream(1);
    await first.waitFor('hello');
    await first.ended;
    await (await there.stream(2)).waitFor('heartbeat');
    const kept = await createIdentityStore(ownFiles(), dir).load();
    expect(kept?.masters).toEqual([there.address]);
    expect(kept?.keyPem).toContain('PRIVATE KEY');
    expect(it.logged.join('')).toContain('certificate renewed');
  });

  test('after its certificate has expired it asks for another, with the old key, and goes on', async () => {
    const there = await master();
    const asked: RecoverRequest[] = [];
    const enrol = await master({
      onRecover: (request) => {
        asked.push(request);
        if (asked.length === 1) throw Object.assign(new Error('busy'), { code: status.RESOURCE_EXHAUSTED });
        return { certificatePem: authority.sign(request.csrPem, `aegir://${SERVER_ID}`), caPem: authority.caPem };
      },
    });
    const it = agent([there.address], { lifeSeconds: -60, enrolAddresses: ['127.0.0.1:1', enrol.address] });
    await (await there.stream(1)).waitFor('heartbeat');
    const { certificatePem, csrPem, signature } = asked[1] ?? RecoverRequest.fromPartial({});
    const shown = new X509Certificate(certificatePem);
    expect(verify('sha256', recoveryProof(csrPem), shown.publicKey, signature)).toBe(true);
    const kept = await createIdentityStore(ownFiles(), dir).load();
    expect(new X509Certificate(kept?.certificatePem ?? '').validToDate.getTime()).toBeGreaterThan(Date.now());
    expect(kept?.enrolAddresses).toEqual(['127.0.0.1:1', enrol.address]);
    expect(it.logged.join('')).toContain('certificate recovered');
  });

  test('stops for good when recovery is denied', async () => {
    const enrol = await master({
      onRecover: () => {
        throw Object.assign(new Error('the server is revoked'), { code: status.PERMISSION_DENIED });
      },
    });
    const it = agent(['127.0.0.1:1'], { lifeSeconds: -60, enrolAddresses: [enrol.address] });
    expect(await it.end).toBe('revoked');
  });

  test('stops for good when renewal is denied', async () => {
    const there = await master({
      onRenew: () => {
        throw Object.assign(new Error('the server is revoked'), { code: status.PERMISSION_DENIED });
      },
    });
    const it = agent([there.address], { lifeSeconds: 3 });
    expect(await it.end).toBe('revoked');
  });

  test('keeps no certificate that is for somebody else', async () => {
    let asked = 0;
    const there = await master({
      onRenew: ({ csrPem }) => {
        asked += 1;
        return { certificatePem: authority.sign(csrPem, 'aegir://srv-000000000000000a'), caPem: authority.caPem };
      },
    });
    const it = agent([there.address], { lifeSeconds: 4 });
    await vi.waitFor(() => expect(asked).toBeGreaterThan(0), { timeout: 5_000 });
    await vi.waitFor(() => expect(it.logged.join('')).toContain('cannot renew'));
    expect(await createIdentityStore(ownFiles(), dir).load()).toBeUndefined();
  });

  test('stopping ends the stream in order', async () => {
    const there = await master();
    const it = agent([there.address]);
    const stream = await there.stream(1);
    await stream.waitFor('heartbeat');
    it.session.stop();
    expect(await it.end).toBe('stopped');
    await stream.ended;
  });
});
