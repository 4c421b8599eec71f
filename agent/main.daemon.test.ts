// The agent's real program as a process: joins, runs, is killed at every boundary of an action, stopped, revoked.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAuthority, type TestAuthority } from './testing/authority.ts';
import { startMaster, type TestMaster, type TestStream } from './testing/master.ts';
import { action, SERVER_ID } from './testing/requests.ts';

const MAIN = new URL('./main.ts', import.meta.url).pathname;
let authority: TestAuthority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

let dir = '';
let children: ChildProcess[] = [];
let masters: TestMaster[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-main-'));
  chmodSync(dir, 0o755); // the host's run user has to get through
  const host = {
    kind: 'embedded',
    dir: join(dir, 'host'),
    hostname: 'one.localhost',
    address: '127.0.0.1',
    ports: {},
    daemons: [],
  };
  writeFileSync(join(dir, 'agent.json'), JSON.stringify({ host, stateDir: join(dir, 'state') }));
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  for (const master of masters) await master.stop();
  children = [];
  masters = [];
  rmSync(dir, { recursive: true, force: true });
});

async function master(part: Partial<Parameters<typeof startMaster>[0]> = {}): Promise<TestMaster> {
  const started = await startMaster({ authority, ...part });
  masters.push(started);
  return started;
}

interface Program {
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it. */
  readonly end: Promise<number | string>;
  output(): string;
}

function agent(command: string, args: readonly string[] = [], env: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, [MAIN, command, '--config', join(dir, 'agent.json'), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const end = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return { child, end, output: () => output };
}

/** The nth stream of the master, or why the agent never opened it. */
function streamOf(program: Program, there: TestMaster, nth: number): Promise<TestStream> {
  const died = program.end.then((code): never => {
    throw new Error(`the agent ended with ${code}: ${program.output()}`);
  });
  return Promise.race([there.stream(nth), died]);
}

/** The host joins a master whose sessions are at `sessions`. */
async function joinTo(sessions: TestMaster): Promise<void> {
  const enrol = await master({
    onEnrol: ({ csrPem }) => ({
      serverId: SERVER_ID,
      name: 'one',
      certificatePem: authority.sign(csrPem, `aegir://${SERVER_ID}`),
      caPem: authority.caPem,
      masters: [sessions.address],
      enrolAddresses: [],
    }),
  });
  const args = ['--master', enrol.address, '--ca-pin', authority.pin];
  const joining = agent('join', args, { AEGIR_JOIN_TOKEN: 'the-token' });
  expect([await joining.end, joining.output()]).toEqual([0, expect.stringContaining(`Joined as one (${SERVER_ID})`)]);
}

const diagnose = (id: string) =>
  action(
    id,
    { $case: 'diagnose', value: { masterTime: new Date(), services: [], hostOnly: false } },
    { resource: `server/${SERVER_ID}` },
  );

describe('agent', () => {
  test('joins, runs, tells its status, refuses a second one, and stops in order', async () => {
    const there = await master();
    expect(await agent('status').end).toBe(1);
    const early = agent('run');
    expect([await early.end, early.output()]).toEqual([1, expect.stringContaining('has not joined')]);
    await joinTo(there);
    const running = agent('run');
    const stream = await streamOf(running, there, 1);
    expect((await stream.waitFor('hello')).value.inventory?.facts).toMatchObject({
      hostname: 'one.localhost',
      hostKind: 'embedded',
      agentVersion: '0.1.0',
    });
    await stream.waitFor('heartbeat');
    const status = agent('status');
    expect([await status.end, status.output()]).toEqual([
      0,
      expect.stringContaining(`running (pid ${running.child.pid})`),
    ]);
    expect(status.output()).toContain(`connected to ${there.address}, server accepted`);
    const second = agent('run');
    expect([await second.end, second.output()]).toEqual([1, expect.stringContaining('another agent runs on it')]);
    running.child.kill('SIGTERM');
    expect(await running.end).toBe(0);
    await stream.ended;
    expect(await agent('status').end).toBe(1);
  });

  test('a killed agent goes on where it was, at every boundary: one answer, and nothing open', async () => {
    const there = await master();
    await joinTo(there);
    const points = [
      'agent.action.received',
      'agent.journal.started',
      'agent.action.done',
      'agent.journal.result',
      'agent.result.sent',
    ];
    let streams = 0;
    for (const point of points) {
      const id = `at-${point}`;
      const doomed = agent('run', [], { AEGIR_FAILPOINT: `${point}:diagnose` });
      streams += 1;
      const first = await streamOf(doomed, there, streams);
      await first.waitFor('heartbeat');
      first.send({ $case: 'action', value: diagnose(id) });
      expect(await doomed.end, point).toBe('SIGKILL');

      const next = agent('run');
      streams += 1;
      const second = await streamOf(next, there, streams);
      const { openActions } = (await second.waitFor('hello')).value;
      expect(openActions, point).toEqual(point === 'agent.action.received' ? [] : [id]);
      second.send({ $case: 'action', value: { ...diagnose(id), attempt: 2 } });
      const { value } = await second.waitFor('result');
      expect(value, point).toMatchObject({ actionId: id, outcome: { $case: 'ok' } });
      second.send({ $case: 'ack', value: { actionId: id } });
      second.send({ $case: 'takeInventory', value: {} });
      await second.waitFor('inventory'); // so it has the acknowledgement
      next.child.kill('SIGTERM');
      expect(await next.end, point).toBe(0);
    }
  });

  test('a revoked agent ends with code 3 and says why', async () => {
    const there = await master();
    await joinTo(there);
    const running = agent('run');
    const stream = await streamOf(running, there, 1);
    await stream.waitFor('heartbeat');
    stream.send({ $case: 'goodbye', value: { reason: 'revoked' } });
    expect(await running.end).toBe(3);
    expect(running.output()).toContain('this server was revoked');
  });

  test('no secret is in the log, and what it cannot read it says', async () => {
    const there = await master();
    await joinTo(there);
    const running = agent('run');
    await (await streamOf(running, there, 1)).waitFor('heartbeat');
    running.child.kill('SIGINT');
    expect(await running.end).toBe(0);
    expect(running.output()).not.toMatch(/PRIVATE KEY|the-token/);
    for (const line of running.output().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('time');
    writeFileSync(join(dir, 'state', 'identity.json'), '{"version": 1, "keyPem": "SECRET');
    const broken = agent('run');
    expect([await broken.end, broken.output()]).toEqual([1, expect.stringContaining('join again with --again')]);
    expect(broken.output()).not.toContain('SECRET');
  });

  test('wrong command lines end with code 2, wrong values with 1 and a sentence', async () => {
    expect(await agent('join', []).end).toBe(2);
    expect(await agent('fly').end).toBe(2);
    const pin = agent('join', ['--master', '127.0.0.1:1', '--ca-pin', 'sha256:1', '--token', 'x']);
    expect([await pin.end, pin.output()]).toEqual([1, expect.stringMatching(/^aegir-agent: cannot use that CA pin/)]);
    const token = agent('join', ['--master', '127.0.0.1:1', '--ca-pin', authority.pin]);
    expect([await token.end, token.output()]).toEqual([1, expect.stringContaining('there is no join token')]);
  });
});
