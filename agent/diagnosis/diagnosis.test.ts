import { describe, expect, test } from 'vitest';
import { createFakeHost } from '../host/fake.ts';
import { checkClock } from './clock.ts';
import { checkDisks } from './disk.ts';
import { judgeLoad } from './load.ts';
import { checkMemory, judgeKills, judgeMemory, judgePressure, judgeSwap } from './memory.ts';
import { checkOwnName } from './own-name.ts';
import { checkReboot, judgeKernel } from './reboot.ts';
import { checkUpdates, judgeUpdates } from './updates.ts';

const GIB = 1024 ** 3;
const disk = (free: number, part: object = {}) => ({
  mount: '/nowhere/mounted',
  type: 'ext4',
  sizeBytes: 100 * GIB,
  freeBytes: free * GIB,
  network: false,
  ...part,
});

describe('diagnosis', () => {
  test.each([
    [0, 'ok', /within 0.0 s/],
    [4_999, 'ok', /within/],
    [-30_000, 'warning', /30.0 s behind/],
    [3_600_000, 'error', /3600.0 s ahead/],
  ])('a clock %i ms off is %s', (skew, level, text) => {
    const finding = checkClock(1e12 + skew, 1e12);
    expect(finding.level).toBe(level);
    expect(finding.text).toMatch(text);
    expect(finding).toMatchObject({
      code: 'clock.skew',
      ...(level === 'ok' ? {} : { advice: expect.stringContaining('NTP') }),
    });
  });

  test.each([
    [50, 'ok'],
    [9, 'warning'],
    [2, 'error'],
  ])('a disk with %i %% free is %s', async (free, level) => {
    const [finding] = await checkDisks([disk(free)]);
    expect(finding).toMatchObject({ subject: 'disk:/nowhere/mounted', level });
    if (level !== 'ok') expect(finding).toMatchObject({ code: 'disk.space', advice: 'make room' });
  });

  test('real disks have inodes; what has no size is no disk', async () => {
    const [finding, ...rest] = await checkDisks([disk(50, { mount: '/' }), disk(0, { sizeBytes: 0 })]);
    expect(rest).toEqual([]);
    expect(finding?.text).toMatch(/GiB free/);
  });

  test.each([
    [50, 'ok'],
    [8, 'warning'],
    [1, 'error'],
  ])('memory with %i %% available is %s', (share, level) => {
    expect(judgeMemory(`MemTotal: 1000000 kB\nMemAvailable: ${share * 10_000} kB\n`).level).toBe(level);
  });

  test('memory that the kernel does not tell is a warning; ours it tells', async () => {
    expect(judgeMemory('').level).toBe('warning');
    expect((await checkMemory())[0]?.text).toMatch(/of \d+ MiB available/);
  });

  test('a host that finds itself, and one that does not', async () => {
    const identity = await createFakeHost().identity();
    expect(await checkOwnName({ ...identity, hostname: 'localhost' })).toMatchObject({ level: 'ok' });
    const lost = await checkOwnName({ ...identity, hostname: 'no-such-host.invalid' });
    expect(lost).toMatchObject({ subject: 'name', level: 'warning' });
    expect(lost.advice).toContain('/etc/hosts');
  });

  test('swap that is full, programs that wait, and those that were killed', () => {
    expect(judgeSwap('SwapTotal: 0 kB\nSwapFree: 0 kB\n')).toEqual([]);
    expect(judgeSwap('SwapTotal: 1000 kB\nSwapFree: 900 kB\n')).toMatchObject([{ level: 'ok' }]);
    expect(judgeSwap('SwapTotal: 1000 kB\nSwapFree: 100 kB\n')).toMatchObject([
      { level: 'warning', code: 'memory.swap' },
    ]);
    expect(judgePressure('some avg10=1.00 avg60=2.00 avg300=9.99 total=1\n')).toEqual([]);
    expect(judgePressure('some avg10=1.00 avg60=2.00 avg300=31.20 total=1\nfull avg10=0\n')).toMatchObject([
      { code: 'memory.pressure', text: 'programs waited for memory during 31 % of the last five minutes' },
    ]);
    expect(judgeKills('pgfault 3\noom_kill 0\n')).toEqual([]);
    expect(judgeKills('pgfault 3\noom_kill 2\n')).toMatchObject([{ code: 'memory.killed', level: 'warning' }]);
  });

  test('load in comparison with processors', () => {
    expect(judgeLoad('0.5 1.0 3.9 1/200 99\n', 2)).toMatchObject({ level: 'ok' });
    expect(judgeLoad('0.5 1.0 4.0 1/200 99\n', 2)).toMatchObject({ level: 'warning', code: 'load.average' });
    expect(judgeLoad('', 2)).toMatchObject({ level: 'info', text: expect.stringMatching(/not known/) });
  });

  test("security updates, by apt's own lists and their age", () => {
    const line = (name: string, from: string) => `Inst ${name} [1.0] (1.1 ${from} [amd64])\n`;
    const others = line('tzdata', 'Debian:12.9/stable') + line('newdep', 'Debian:12.9/stable').replace(' [1.0]', '');
    expect(judgeUpdates(others, 0)).toMatchObject([{ level: 'ok', text: expect.stringContaining('2 others') }]);
    const both = others + line('openssl', 'Debian-Security:12/stable-security');
    expect(judgeUpdates(both, 0)).toMatchObject([{ level: 'warning', text: '1 security update waits: openssl' }]);
    const old = judgeUpdates('', 30 * 24 * 3600 * 1000);
    expect(old[1]).toMatchObject({ code: 'updates.lists', text: expect.stringContaining('30 days old') });
    expect(judgeUpdates('', undefined)[1]).toMatchObject({ code: 'updates.lists' });
  });

  test('a host without apt, or whose lists are empty, is unknown and not fine', async () => {
    const [finding] = await checkUpdates(createFakeHost(), AbortSignal.timeout(5000), 0);
    expect(finding).toMatchObject({ code: 'updates.unknown', level: 'info' });
  });

  test.each([
    [['vmlinuz-6.1.0-9-amd64', 'vmlinuz-6.1.0-18-amd64', 'config-6.1.0-18-amd64'], '6.1.0-9-amd64', 'warning'],
    [['vmlinuz-6.1.0-9-amd64', 'vmlinuz-6.1.0-18-amd64'], '6.1.0-18-amd64', 'ok'],
    [['vmlinuz-6.1.0-9-amd64', 'vmlinuz-6.1.0-18-rt-amd64'], '6.12.0', 'info'],
    [[], '6.12.0', 'ok'],
  ])('kernels %j under %s: %s', (names, running, level) => {
    expect(judgeKernel(names, running)).toMatchObject({ level, code: 'reboot.required' });
  });

  test('somebody asked for a restart', async () => {
    const host = createFakeHost();
    expect(await checkReboot(host, '6.1.0')).toMatchObject([{ level: 'ok' }]);
    await host.files.write('/run/reboot-required', '', { mode: 0o644 });
    await host.files.write('/run/reboot-required.pkgs', 'libc6\nlinux-image\nlibc6\n', { mode: 0o644 });
    expect(await checkReboot(host, '6.1.0')).toMatchObject([
      { level: 'warning', text: 'asked for by libc6, linux-image' },
    ]);
  });
});
