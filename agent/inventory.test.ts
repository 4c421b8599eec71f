import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Inventory } from '../shared/gen/aegir/v1/agent.ts';
import { createFakeHost } from './host/fake.ts';
import { type Detector, found } from './inventory/detector.ts';
import { createDetectors } from './inventory/detectors.ts';
import { createNatsDetector } from './inventory/nats.ts';
import { createPhpFpmDetector } from './inventory/php-fpm.ts';
import { createSftpDetector } from './inventory/sftp.ts';
import { createInventory, fingerprint } from './inventory.ts';

const log = pino({ enabled: false });
const git = (version: string) => found({ type: '', engine: 'git', version, running: true });

/** A detector that answers what the test sets, or throws. */
function settable(name: string) {
  const it = { name, answer: [git('1')] as ReturnType<typeof git>[] | Error, looks: 0 };
  const detector: Detector = {
    name,
    async detect() {
      it.looks += 1;
      if (it.answer instanceof Error) throw it.answer;
      return it.answer;
    },
  };
  return { it, detector };
}

describe('inventory', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function create() {
    const { it, detector } = settable('git');
    const news: Inventory[] = [];
    const inventory = createInventory({
      host: createFakeHost(),
      engines: [],
      detectors: [detector],
      agentVersion: '1.2.3',
      log,
      now: Date.now,
      intervalMs: 10_000,
    });
    inventory.onNews((each) => {
      news.push(each);
      inventory.told(each);
    });
    return { it, inventory, news };
  }

  test('tells facts and services', async () => {
    const { inventory } = create();
    const taken = await inventory.latest();
    expect(taken.facts).toMatchObject({
      hostname: 'fake.example',
      agentVersion: '1.2.3',
      hostKind: 'systemd',
      cpus: 2,
    });
    expect(taken.services).toEqual([git('1')]);
  });

  test('names nothing twice, and orders by name', async () => {
    const { it, inventory } = create();
    it.answer = [git('1'), found({ type: 'db', engine: 'x', version: '', running: true }), git('2')];
    const names = (await inventory.take()).services.map((each) => `${each.type}/${each.engine} ${each.version}`);
    expect(names).toEqual(['/git 1', 'db/x ']);
  });

  test('calls at the same time share one look', async () => {
    const { it, inventory } = create();
    await Promise.all([inventory.take(), inventory.take(), inventory.latest()]);
    expect(it.looks).toBe(1);
  });

  test('looks every so often and tells only what changed', async () => {
    const { it, inventory, news } = create();
    inventory.told(await inventory.latest());
    inventory.start();
    await vi.advanceTimersByTimeAsync(40_000);
    expect(it.looks).toBeGreaterThanOrEqual(4);
    expect(news).toEqual([]);
    it.answer = [git('2')];
    await vi.advanceTimersByTimeAsync(12_100);
    expect(news.length).toBe(1);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(news.length).toBe(1);
    inventory.stop();
    const looks = it.looks;
    await vi.advanceTimersByTimeAsync(100_000);
    expect(it.looks).toBe(looks);
  });

  test('a poke is a look soon, many are one', async () => {
    const { it, inventory } = create();
    inventory.start();
    for (let i = 0; i < 10; i++) {
      inventory.poke();
      await vi.advanceTimersByTimeAsync(60);
    }
    expect(it.looks).toBe(1);
    inventory.stop();
  });

  test('what cannot be looked at does not vanish; what is gone does', async () => {
    const { it, inventory } = create();
    await inventory.take();
    it.answer = new Error('timed out');
    expect((await inventory.take()).services).toEqual([git('1')]);
    it.answer = [];
    expect((await inventory.take()).services).toEqual([]);
  });

  test('the interval can be changed', async () => {
    const { it, inventory } = create();
    inventory.start();
    inventory.setInterval(1_000);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(it.looks).toBeGreaterThanOrEqual(4);
    inventory.stop();
  });
});

test('free space counts as a change only when much of it changed', () => {
  const disk = { mount: '/', type: 'ext4', sizeBytes: 1000n, network: false };
  const taken = (freeBytes: bigint, at: number): Inventory => ({
    facts: { disks: [{ ...disk, freeBytes }] } as never,
    services: [],
    takenAt: new Date(at),
  });
  expect(fingerprint(taken(510n, 1))).toBe(fingerprint(taken(540n, 2)));
  expect(fingerprint(taken(510n, 1))).not.toBe(fingerprint(taken(400n, 1)));
});

describe('detectors', () => {
  test('find nothing on a host that has nothing', async () => {
    const host = createFakeHost({ daemons: [] });
    for (const detector of createDetectors()) expect(await detector.detect(host), detector.name).toEqual([]);
  });

  test('php-fpm: one for each version', async () => {
    const host = createFakeHost({
      daemons: [{ name: 'php-fpm@8.2' }, { name: 'php-fpm@8.3' }],
      answer: ({ argv }) => ({ stdout: `PHP ${argv[0].includes('8.2') ? '8.2.29' : '8.3.1'} (fpm-fcgi) (built: x)\n` }),
    });
    host.tree.set('/etc/php/8.2/fpm/php.ini', { kind: 'file', content: '', mode: 0o644 });
    expect(await createPhpFpmDetector().detect(host)).toMatchObject([
      { engine: 'php-fpm', instance: '8.2', version: '8.2.29', configRoots: ['/etc/php/8.2/fpm'], manageable: false },
      { instance: '8.3', version: '8.3.1', configRoots: [] },
    ]);
  });

  test('nats: version and configured port', async () => {
    const host = createFakeHost({
      programs: ['nats-server'],
      answer: () => ({ stdout: 'nats-server: v2.9.10\n' }),
    });
    expect(await createNatsDetector().detect(host)).toMatchObject([
      { version: '2.9.10', ports: [4222], configRoots: [] },
    ]);
    host.tree.set('/etc/nats-server.conf', { kind: 'file', content: 'port: 4333\n', mode: 0o644 });
    expect(await createNatsDetector().detect(host)).toMatchObject([
      { ports: [4333], configRoots: ['/etc/nats-server.conf'] },
    ]);
  });

  test('sftp: ports of all configuration files, version from what an unknown option says', async () => {
    const host = createFakeHost({
      programs: ['sshd'],
      answer: () => ({ code: 1, stderr: 'unknown option -- V\nOpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17\n' }),
    });
    const config = '#Port 1\nPort 22\nSubsystem sftp internal-sftp\n';
    host.tree.set('/etc/ssh/sshd_config', { kind: 'file', content: config, mode: 0o644 });
    host.tree.set('/etc/ssh/sshd_config.d/a.conf', { kind: 'file', content: 'Port 2222\n', mode: 0o644 });
    expect(await createSftpDetector().detect(host)).toMatchObject([
      { type: '', engine: 'sftp', version: '9.2p1', ports: [22, 2222], capabilities: ['sftp'] },
    ]);
  });
});
