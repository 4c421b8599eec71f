// Whatever an agent or a stranger sends is bounded and formed: inventories, replies, names, rates.
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { ActionResult, DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import { boundEvent, boundResult } from './bound-reply.ts';
import { createGate } from './gate.ts';
import { checkFacts, checkServices } from './inventory-check.ts';
import { callerOf, createRateLimit } from './rate-limit.ts';
import { fitServerName, uniqueServerName } from './server-name.ts';
import { facts } from './testing/rig.ts';

const log = pino({ level: 'silent' });
const FAR = '192.0.2.1:4000';

describe('names of servers', () => {
  test.each([
    ['web1', 'web1'],
    ['Web1.Example.ORG', 'web1.example.org'],
    ['web 1/../x', 'web-1-..-x'],
    ['', 'server'],
    ['///', 'server'],
    ['-a-', 'a'],
    ['\u001b[31mred', '31mred'],
    ['x'.repeat(100), 'x'.repeat(63)],
    ['srv-0123456789abcdef', 'host-srv-0123456789abcdef'],
  ])('%j becomes %j', (wished, name) => {
    expect(fitServerName(wished)).toBe(name);
  });

  test('are unique', () => {
    expect(uniqueServerName('web1', new Set())).toBe('web1');
    expect(uniqueServerName('web1', new Set(['web1']))).toBe('web1-2');
    expect(uniqueServerName('web1', new Set(['web1', 'web1-2', 'web1-4']))).toBe('web1-3');
    const long = uniqueServerName('x'.repeat(63), new Set(['x'.repeat(63)]));
    expect(long).toBe(`${'x'.repeat(56)}-2`);
  });
});

describe('rates', () => {
  test('a caller has its burst, and gets it back with time; others have their own', () => {
    let now = 0;
    const limit = createRateLimit({ burst: 3, perSecond: 1, now: () => now });
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([true, true, true, false]);
    expect(limit.take('b', 3)).toBe(true);
    expect(limit.take('b')).toBe(false);
    now = 2000;
    expect([1, 2, 3].map(() => limit.take('a'))).toEqual([true, true, false]);
    now = -5000; // a clock that was set back gives nothing and takes nothing
    expect(limit.take('a')).toBe(false);
  });

  test('remembers a bounded number of callers', () => {
    const limit = createRateLimit({ burst: 1, perSecond: 0, maxCallers: 2, now: () => 0 });
    expect(['a', 'b', 'c'].map((caller) => limit.take(caller))).toEqual([true, true, true]);
    expect(limit.take('c')).toBe(false);
    expect(limit.take('a')).toBe(true);
  });

  test.each([
    ['192.0.2.1:40000', '192.0.2.1'],
    ['::ffff:192.0.2.1:40000', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6:40000', '2001:db8:1:2::/64'],
    ['2001:db8::6:40000', '2001:db8:0:0::/64'],
    ['[2001:DB8:1:2::6]:40000', '2001:db8:1:2::/64'],
    ['::1:40000', '0:0:0:0::/64'],
    ['unknown', 'unknown'],
  ])('%s is %s', (peer, caller) => {
    expect(callerOf(peer)).toBe(caller);
  });

  test('a gate lets so many work, so many wait, and hands places on', async () => {
    const gate = createGate(2, 1, 'test');
    const ends: (() => void)[] = [];
    let most = 0;
    let running = 0;
    const work = () =>
      gate.run(async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => ends.push(resolve));
        running -= 1;
      });
    const first = [work(), work(), work()];
    await expect(work()).rejects.toMatchObject({ code: 'resource_exhausted' });
    while (ends.length > 0 || running > 0) {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(first);
    expect(most).toBe(2);
    await expect(gate.run(() => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
    await expect(gate.run(async () => 'free')).resolves.toBe('free');
  });
});

describe('inventories', () => {
  test('addresses that are none are left out, control characters go, lists are bounded', () => {
    const checked = checkFacts(
      facts({
        hostname: 'web1\u001b[2J',
        addresses: ['192.0.2.1', 'localhost', 'fe80::1%eth0', '192.0.2.1', "'; drop"],
        sourceAddresses: ['2001:db8::1', '%'],
      }),
      log,
      FAR,
    );
    expect(checked.addresses).toEqual(['192.0.2.1']);
    expect(checked.sourceAddresses).toEqual(['2001:db8::1']);
    expect(checked.hostname).toBe('web1 [2J');
    const many = Array.from({ length: 65 }, (_, at) => `192.0.2.${at}`);
    expect(() => checkFacts(facts({ addresses: many }), log, FAR)).toThrow(/addresses are 65; 64 is the most/);
    expect(() => checkFacts(undefined, log, FAR)).toThrow(/missing/);
  });

  const NEAR = ['127.0.0.1', '127.77.0.4', '169.254.1.1', '::1', '0:0:0:0:0:0:0:1', 'fe80::1', 'febf::1'];
  const NOWHERE = [
    ...['0.0.0.0', '0.1.2.3', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '::ffff:0:0', '::7f00:1'],
    ...['::ffff:127.0.0.1', '::ffff:192.0.2.1', '64:ff9b::7f00:1', '64:ff9b::192.0.2.1', '64:ff9b:1::1'],
    ...['2002:7f00:1::1', '2002:a9fe::1', '2002:0:1::', '2002:e000:1::', '2002:ffff:ffff::'],
    ...['224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', 'ff02::1', 'ff0e::1'],
  ];
  const ELSEWHERE = [
    '192.0.2.1',
    '10.0.0.1',
    '2001:db8::1',
    'fd00::1',
    '128.0.0.1',
    '223.255.255.255',
    '2002:c000:201::1',
  ];
  test.each([
    ['192.0.2.1:4000', ELSEWHERE],
    ['[2001:db8::1]:4000', ELSEWHERE],
    ['unknown', ELSEWHERE],
    ['127.0.0.1:4000', [...NEAR, ...ELSEWHERE]],
    ['[::1]:4000', [...NEAR, ...ELSEWHERE]],
    ['[::ffff:127.0.0.1]:4000', [...NEAR, ...ELSEWHERE]],
    ['::ffff:127.0.0.1:4000', [...NEAR, ...ELSEWHERE]],
  ])('from %s, what leads others nowhere, or to themselves, is left out', (peer, left) => {
    const all = [...NEAR, ...NOWHERE, ...ELSEWHERE];
    const { addresses, sourceAddresses } = checkFacts(facts({ addresses: all, sourceAddresses: all }), log, peer);
    expect([addresses, sourceAddresses]).toEqual([left, left]);
  });

  test('services are formed, unique and of known types', () => {
    const one = DetectedService.fromPartial({ type: 'http', engine: 'nginx', ports: [80, 0, 70_000] });
    expect(checkServices([one, { ...one, type: 'mail' }], log)).toMatchObject([{ engine: 'nginx', ports: [80] }]);
    expect(() => checkServices([one, one], log)).toThrow(/twice/);
    expect(() => checkServices([{ ...one, engine: '../nginx' }], log)).toThrow(/engine has another form/);
    for (const instance of ['a\nb', '$(id)', '`id`', "a'b", 'a;b', 'a\\b', 'x'.repeat(301)]) {
      expect(checkServices([{ ...one, instance }], log)).toEqual([]);
    }
    for (const instance of ['', '15-main', '/srv/über alles', 'dns:provider']) {
      expect(checkServices([{ ...one, instance }], log)).toMatchObject([{ instance }]);
    }
    const many = Array.from({ length: 501 }, (_, at) => ({ ...one, instance: String(at) }));
    expect(() => checkServices(many, log)).toThrow(/services are 501/);
  });
});

describe('replies', () => {
  const event = (body: Parameters<typeof boundEvent>[0]['body']) =>
    boundEvent({ actionId: 'a', seq: 1n, time: new Date(0), body })?.body?.value;

  test('events', () => {
    expect(event({ $case: 'log', value: { level: 'shout', text: 'x'.repeat(5000) } })).toEqual({
      level: 'info',
      text: 'x'.repeat(4096),
    });
    expect(event({ $case: 'progress', value: { fraction: 7, label: '' } })).toEqual({ fraction: 1, label: '' });
    expect(event({ $case: 'progress', value: { fraction: Number.NaN, label: '' } })).toMatchObject({ fraction: 0 });
    expect(boundEvent({ actionId: 'a', seq: 1n, time: undefined, body: undefined })).toBeUndefined();
  });

  test.each([
    ['https://example.org/login?token=x', 'https://example.org/login?token=x'],
    ['http://demo.localhost:8081/', 'http://demo.localhost:8081/'],
    ['javascript:alert(1)', ''],
    ['data:text/html,x', ''],
    ['https://example.org/ javascript:', ''],
  ])('a link to %s is %j', (value, kept) => {
    const message = { kind: 'link', text: 'log in', value, expiresAt: undefined };
    expect(event({ $case: 'message', value: message })).toMatchObject({ value: kept });
  });

  test('results', () => {
    expect(boundResult(ActionResult.fromPartial({ actionId: 'a' })).outcome).toMatchObject({
      $case: 'error',
      value: { code: 'internal', retryable: false },
    });
    const odd = boundResult({
      actionId: 'a',
      changes: Array(2000).fill('c'),
      outcome: { $case: 'error', value: { code: 'no such code', message: 'm', retryable: true, untouched: false } },
    });
    expect(odd.changes).toHaveLength(1000);
    expect(odd.outcome?.value).toEqual({ code: 'unknown', message: 'm', retryable: true, untouched: false });
    const finding = { subject: 's', level: 'fatal', text: 't', code: 'Not a code', advice: 'a' };
    const ok = boundResult({
      actionId: 'a',
      changes: [],
      outcome: {
        $case: 'ok',
        value: { messages: [], platform: undefined, findings: Array(900).fill(finding), ports: [] },
      },
    });
    const findings = ok.outcome?.$case === 'ok' ? ok.outcome.value.findings : [];
    expect(findings).toHaveLength(500);
    expect(findings[0]).toMatchObject({ level: 'warning', code: '', advice: 'a' });
    const site = { serviceId: 's', siteId: 'site-0000000000000001', what: 'x\u001b[2J'.repeat(100) };
    const found = boundResult({
      ...{ actionId: 'a', changes: [] },
      outcome: {
        $case: 'ok',
        value: {
          ...{ messages: [], platform: undefined, findings: [], ports: [] },
          found: { sites: [{ ...site, siteId: '../x' }, ...Array(9000).fill(site)] },
        },
      },
    });
    const sites = found.outcome?.$case === 'ok' ? (found.outcome.value.found?.sites ?? []) : [];
    expect(sites).toHaveLength(4999);
    expect(sites[0]?.what).toMatch(/^[\x20-\x7e]{1,200}$/);
  });
});
