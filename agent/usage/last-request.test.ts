// When a site was last asked for, from logs on a disk.
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lastRequest } from './last-request.ts';
import { asideName } from './log-names.ts';

const signal = new AbortController().signal;
let logs = '';
beforeEach(() => {
  logs = mkdtempSync(join(tmpdir(), 'aegir-last-'));
});
afterEach(() => rmSync(logs, { recursive: true }));

const line = (second: number, what = 'GET /', agent = 'x', zone = '+0000') =>
  `192.0.2.7 - - [23/Nov/2026:12:00:${String(second).padStart(2, '0')} ${zone}] "${what} HTTP/1.1" 200 9 "-" "${agent}"\n`;
const at = (second: number, hour = 12) => Date.UTC(2026, 10, 23, hour, 0, second);
const last = () => lastRequest(logs, signal);

test('no log, or an empty one, tells of none', async () => {
  expect(await last()).toBeUndefined();
  writeFileSync(join(logs, 'access.log'), '');
  expect(await last()).toBeUndefined();
});

test('what Aegir asks and what an authority asks does not count, however much it is', async () => {
  const own = line(30, 'GET /', 'aegir-agent');
  const challenge = line(40, 'GET /.well-known/acme-challenge/abc');
  const forged = line(5, 'GET /?"aegir-agent"'.replaceAll('"', '\\x22'));
  writeFileSync(join(logs, 'access.log'), `${line(1)}${forged}${`${own}${challenge}`.repeat(20_000)}half of a li`);
  expect(await last()).toBe(at(5));
});

test('in the zone of the log, and of the one that was put aside when the new one has none', async () => {
  writeFileSync(join(logs, asideName('access.log', at(0))), line(7, 'GET /', 'x', '+0200'));
  writeFileSync(join(logs, 'access.log'), line(9, 'GET /', 'aegir-agent'));
  expect(await last()).toBe(at(7, 10));
});

test('a link is not followed', async () => {
  writeFileSync(join(logs, 'elsewhere'), line(1));
  symlinkSync(join(logs, 'elsewhere'), join(logs, 'access.log'));
  expect(await last()).toBeUndefined();
});
