// Row 5: what goes wrong on real servers gives an error that says what to do, and leaves nothing behind.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { greetsOn } from '../../agent/host/embedded/probe.ts';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK, until } from '../../deploy/up/processes.ts';
import { PlatformServiceService, ServerServiceService, SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { stateOf } from './host-state.ts';
import { addWordpress, type Finished, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';

let machine: Machine;
let before: readonly string[];
const other = 'other.localhost';

beforeAll(async () => {
  machine = await startMachine();
  await addWordpress(machine);
  const done = await finish(machine, (await installSite(machine, other)).taskId);
  expect(done.task.state, done.task.reason).toBe('succeeded');
  before = await stateOf(machine);
});

afterAll(() => machine?.close());

const host = (server: string, ...path: string[]) => join(machine.layout.dir, server, 'host', ...path);

async function install(): Promise<Finished> {
  return finish(machine, (await installSite(machine)).taskId);
}

/** Failed, undone whole, the other site as it was. */
async function expectUndone(done: Finished, reason: RegExp): Promise<void> {
  expect(done.task.state, done.task.reason).toBe('failed');
  expect(done.task.reason).toMatch(reason);
  const begun = done.task.steps.filter((step) => step.attempts > 0).map((step) => step.state);
  expect(begun.filter((state) => !['undone', 'skipped', 'failed'].includes(state))).toEqual([]);
  expect(await stateOf(machine)).toEqual(before);
  const home = await createBrowser(LOOPBACK).get(`http://${other}:${machine.layout.ports.web1.nginx}/`);
  expect(home.status).toBe(200);
}

async function expectInstalls(): Promise<void> {
  const done = await install();
  expect(done.task.state, done.task.reason).toBe('succeeded');
  const gone = await machine
    .connection()
    .call(SiteServiceService.deleteSite, { site: SITE, confirm: true, options: undefined });
  expect((await finish(machine, gone.taskId)).task.state).toBe('succeeded');
  expect(await stateOf(machine)).toEqual(before);
}

describe('nginx whose configuration was broken by hand', () => {
  const file = () => host('web1', 'etc/nginx/conf.d/zz-by-hand.conf');
  test('is told with file and line, and the site is undone', async () => {
    writeFileSync(file(), 'server {\n  listen 8081\n}\n');
    try {
      const done = await install();
      rmSync(file());
      await expectUndone(done, /zz-by-hand\.conf.*;/s);
      expect(done.task.reason).toMatch(/line|:[0-9]+/);
    } finally {
      rmSync(file(), { force: true });
    }
  });

  test('and the same install works then', { tags: ['deep'] }, expectInstalls);
});

describe('MariaDB that is down', () => {
  const file = () => host('db1', 'etc/mariadb/conf.d/zz-by-hand.cnf');
  test('is told, and the site is undone; when it is back the same install works', async () => {
    writeFileSync(file(), '[mariadbd]\nno-such-option=1\n');
    try {
      const { group } = JSON.parse(readFileSync(host('db1', 'daemons/mariadb.json'), 'utf8')) as { group: number };
      process.kill(group, 'SIGKILL');
      const done = await install();
      expect(done.task.state).toBe('failed');
      expect(done.task.reason).toMatch(/MariaDB does not answer.*; /s);
      rmSync(file());
      // Its supervisor starts it again, after a pause of at most 30 s.
      const socket = host('db1', 'run/mariadb.sock');
      await until('MariaDB to answer', undefined, new AbortController().signal, () => greetsOn(socket));
      await expectUndone(done, /MariaDB/);
    } finally {
      rmSync(file(), { force: true });
    }
    await expectInstalls();
  });
});

const maySmallDisk = process.getuid?.() === 0;
if (!maySmallDisk) console.warn('SKIPPED: a full disk on the web host (root is needed to mount a small file system)');

describe.runIf(maySmallDisk)('a full disk on the web host', () => {
  test('is told, and the site is undone', async () => {
    const sites = host('web1', 'sites');
    // What is there stays reachable below; a new site meets a file system that is all but full.
    const site = readSiteDir(sites);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=200,mode=0711', 'tmpfs', sites]);
    let done: Finished;
    try {
      writeFileSync(join(sites, 'ballast'), Buffer.alloc(56 * 1024));
      mkdirSync(join(sites, 'seen'));
      done = await install();
      expect(execFileSync('ls', [sites], { encoding: 'utf8' }).trim().split('\n').sort()).toEqual(['ballast', 'seen']);
    } finally {
      execFileSync('umount', ['--lazy', sites]);
    }
    expect(readSiteDir(sites)).toEqual(site);
    await expectUndone(done, /no space left|disk is full|ENOSPC/i);
    expect(done.task.reason).toMatch(/;/);
  });

  test('and the same install works then', { tags: ['deep'] }, expectInstalls);

  function readSiteDir(sites: string): string {
    return execFileSync('ls', [sites], { encoding: 'utf8' });
  }
});

describe('a name that is taken', () => {
  test.each([other, 'OTHER.localhost', 'other.localhost.'])('%s is refused before anything is done', async (name) => {
    await expect(installSite(machine, name)).rejects.toThrow(
      /cannot use the name other\.localhost: .*; choose another/,
    );
    expect(await stateOf(machine)).toEqual(before);
  });

  test('as an alias is refused too', async () => {
    await expect(installSite(machine, SITE, [other])).rejects.toThrow(/other\.localhost/);
    expect(await stateOf(machine)).toEqual(before);
  });

  test('that a task is installing is refused', async () => {
    const first = await installSite(machine);
    await expect(installSite(machine)).rejects.toThrow(/cannot use the name/);
    expect((await finish(machine, first.taskId)).task.state).toBe('succeeded');
    const gone = await machine
      .connection()
      .call(SiteServiceService.deleteSite, { site: SITE, confirm: true, options: undefined });
    await finish(machine, gone.taskId);
  });
});

describe('a path that is no platform', () => {
  const paths: readonly [string, RegExp][] = [
    ['/nowhere/at/all', /\/nowhere\/at\/all.*;/s],
    ['/usr/share/wordpress/index.php', /directory.*;/s],
    ['/etc', /;/],
    ['/root', /;/],
  ];
  test.each(paths)('%s is told, and no platform is left', async (root, reason) => {
    const change = await machine.connection().call(PlatformServiceService.addPlatform, {
      name: 'broken',
      root,
      service: 'web1/nginx',
      app: '',
      options: undefined,
    });
    const { task } = await finish(machine, change.taskId);
    expect(task.state).toBe('failed');
    expect(task.reason).toMatch(reason);
    const { platforms } = await machine
      .connection()
      .call(PlatformServiceService.listPlatforms, { pageSize: 0, pageToken: '' });
    expect(platforms.map((platform) => platform.name)).toEqual(['wordpress']);
  });
});

describe('the way between two servers', () => {
  const test1 = (sender: string, receiver: string, bytes: bigint) =>
    machine.connection().call(ServerServiceService.testMesh, { sender, receiver, bytes, options: undefined });

  test('is timed in both directions, and the first of the errors is a sentence', async () => {
    for (const [sender, receiver] of [
      ['web1', 'db1'],
      ['db1', 'web1'],
    ] as const) {
      const done = await finish(machine, (await test1(sender, receiver, 5_000_000n)).taskId);
      expect(done.task.state, done.task.reason).toBe('succeeded');
      const said = done.events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : []));
      expect(said.join('\n')).toMatch(
        new RegExp(`4.8 MiB from ${sender} to ${receiver} in [0-9.]+ m?s: .*/s, round trip [0-9.]+ ms`),
      );
    }
    await expect(test1('web1', 'web1', 0n)).rejects.toThrow(/from a server to itself: name two servers/);
    await expect(test1('web1', 'db1', 2n ** 40n)).rejects.toThrow(/so many bytes/);
  });
});

test('a language that the code base has not is refused by plan and call, and nothing is begun', async () => {
  const request = {
    ...{ name: SITE, aliases: [], platform: 'wordpress', db: 'db1/mariadb', dns: '', client: '', title: 'Fault' },
    ...{ locale: 'tlh_XX', profile: '', adminName: 'admin', adminMail: '' },
  };
  for (const planOnly of [true, false]) {
    const options = { planOnly, idempotencyKey: '' };
    await expect(machine.connection().call(SiteServiceService.installSite, { ...request, options })).rejects.toThrow(
      /cannot install fault\.localhost in "tlh_XX": \S+ has the languages en_US.*; choose one/,
    );
  }
  expect(await stateOf(machine)).toEqual(before);
});
