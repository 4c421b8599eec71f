import { describe, expect, test } from 'vitest';
import { createFakeHost } from '../host/fake.ts';
import { checkClock } from './clock.ts';
import { checkDisks } from './disk.ts';
import { checkMemory, judgeMemory } from './memory.ts';
import { checkOwnName } from './own-name.ts';

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
    [-30_000, 'warning', /30.0 s behind.*NTP/],
    [3_600_000, 'error', /3600.0 s ahead/],
  ])('a clock %i ms off is %s', (skew, level, text) => {
    const finding = checkClock(1e12 + skew, 1e12);
    expect(finding.level).toBe(level);
    expect(finding.text).toMatch(text);
  });

  test.each([
    [50, 'ok'],
    [9, 'warning'],
    [2, 'error'],
  ])('a disk with %i %% free is %s', async (free, level) => {
    const [finding] = await checkDisks([disk(free)]);
    expect(finding).toMatchObject({ subject: 'disk:/nowhere/mounted', level });
    if (level !== 'ok') expect(finding?.text).toContain('make room');
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
    expect(lost.text).toContain('/etc/hosts');
  });
});
