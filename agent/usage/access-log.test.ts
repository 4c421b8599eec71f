import { describe, expect, test } from 'vitest';
import { trafficIn, utcDay } from './access-log.ts';

const line = (part: { time?: string; request?: string; rest?: string; user?: string } = {}) =>
  `192.0.2.7 - ${part.user ?? '-'} [${part.time ?? '23/Nov/2026:16:36:46 +0000'}] "${part.request ?? 'GET / HTTP/1.1'}" ${part.rest ?? '200 1234 "-" "curl/8"'}\n`;

describe('lines of access logs', () => {
  test('count by day and by hundred of the status', () => {
    const text = [
      line(),
      line({ rest: '301 200 "-" "x"' }),
      line({ rest: '404 100 "-" "x"' }),
      line({ rest: '101 5 "-" "x"' }),
      line({ rest: '502 7 "-" "x"' }),
      line({ time: '24/Nov/2026:00:00:00 +0000', rest: '204 - "-" "x"' }),
    ].join('');
    expect(Object.fromEntries(trafficIn(text))).toEqual({
      '2026-11-23': { requests: 5, bytes: 1546, statuses: [1, 1, 1, 1, 1] },
      '2026-11-24': { requests: 1, bytes: 0, statuses: [0, 1, 0, 0, 0] },
    });
  });

  test.each([
    ['23/Nov/2026:23:30:00 -0130', '2026-11-24'],
    ['24/Nov/2026:00:30:00 +0100', '2026-11-23'],
    ['01/Jan/2027:05:29:59 +0530', '2026-12-31'],
  ])('%s is of %s', (time, day) => {
    expect([...trafficIn(line({ time })).keys()]).toEqual([day]);
  });

  // As nginx (\x22) and Apache (\") write what a client sends.
  test.each([
    ['a user that plays a line', line({ user: 'x [24/Nov/2026:00:00:00 +0000] \\x22GET / HTTP/1.1\\x22 500 99999 ' })],
    ['the same for Apache', line({ user: 'x [24/Nov/2026:00:00:00 +0000] \\"GET / HTTP/1.1\\" 500 99999 ' })],
    ['a request that plays one', line({ request: 'GET /\\" 500 99999 \\" HTTP/1.1' })],
    ['an agent that plays one', line({ rest: '200 1234 "-" "x\\" [24/Nov/2026:00:00:00 +0000] \\"G\\" 500 9"' })],
    ['a backslash at the end of a request', line({ request: 'GET /\\\\' })],
    ['a request that is none', line({ request: '' })],
  ])('%s is one of its own', (_, text) => {
    expect([...trafficIn(text)]).toEqual([['2026-11-23', { requests: 1, bytes: 1234, statuses: [0, 1, 0, 0, 0] }]]);
  });

  test.each(['', 'garbage', '- - - [23/Foo/2026:16:36:46 +0000] "GET /" 200 1', line({ rest: '2000 1 "-"' })])(
    '%j counts for nothing',
    (text) => {
      expect(trafficIn(`${text}\n`).size).toBe(0);
    },
  );

  test('of any length are read in time that grows with it alone', () => {
    const long = line({ request: `GET /${'\\"['.repeat(300_000)}` });
    const began = performance.now();
    expect(trafficIn(`${long}${'['.repeat(500_000)}\n${'\\'.repeat(500_001)}`).get('2026-11-23')?.requests).toBe(1);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test('days are those of UTC', () => expect(utcDay(Date.UTC(2026, 0, 1))).toBe('2026-01-01'));
});
