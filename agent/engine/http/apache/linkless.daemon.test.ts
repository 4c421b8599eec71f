// A site whose code swaps a file for a link while a real Apache hands it out: where links are followed to files of the same
// owner alone it reads by that, after some tries, what the web server may read elsewhere; from the mount without links, never.
import { execFileSync } from 'node:child_process';
import { chmod, lchown, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openServer } from '../../../gate/testing-scene.ts';
import { siteLayout } from '../../../host/site-layout.ts';
import type { Stage } from '../../conformance/http-stage.ts';
import { checkLinkless, mountCommands } from './linkless.ts';

const ADDRESS = '127.0.31.12';
const SITE = 'site-0000000000000001';
const NAME = 'one.example.org';
const SECRET = 'of another site';
const ENOUGH = 10_000;
const LONGEST_MS = 90_000;
const AT_ONCE = 8;

describe.skipIf(process.geteuid?.() !== 0)(
  'Apache, under the hands of a site that swaps a file for a link (as root)',
  () => {
    let stage: Stage;
    let elsewhere = '';
    let mounted = false;
    const files = () => siteLayout(stage.host.paths, SITE).files;
    const spec = () => stage.fixture.php(SITE, NAME);
    const findings = () => checkLinkless({ ...stage.host, kind: 'systemd' }, stage.daemon);

    beforeAll(async () => {
      stage = await openServer('apache', ADDRESS);
      // Of another user, and Apache may read it.
      elsewhere = await mkdtemp(join(tmpdir(), 'aegir-other-'));
      await chmod(elsewhere, 0o755);
      await writeFile(join(elsewhere, 'secret.txt'), SECRET, { mode: 0o644 });
      const user = await stage.host.users.ensure('aegir-0000000000000001', '/');
      await writeFile(join(files(), 'a.txt'), 'its own');
      await symlink(join(elsewhere, 'secret.txt'), join(files(), 'b.txt'));
      for (const name of ['a.txt', 'b.txt']) await lchown(join(files(), name), user.uid, user.gid);
    });
    afterAll(async () => {
      if (mounted) execFileSync('umount', ['--lazy', stage.host.paths.linkless]);
      await stage?.close();
      await rm(elsewhere, { recursive: true, force: true });
    });

    it('without the mount: it is read, and verify says so', async () => {
      await stage.apply(spec());
      const { hits, swaps, asked } = await race(stage, (hit) => hit);
      console.info(`without: ${hits} of ${asked} answers, ${swaps} swaps`);
      expect(hits).toBeGreaterThan(0);
      const told = await findings();
      expect(told).toMatchObject([{ level: 'warning', text: expect.stringContaining('is not mounted without links') }]);
    });

    it('with it: it is not, and nothing else changes', async () => {
      const { sites, linkless } = stage.host.paths;
      for (const [program, ...args] of mountCommands(sites, linkless)) execFileSync(program, args);
      mounted = true;
      expect(await findings()).toMatchObject([
        { level: 'warning', text: expect.stringContaining(`files of ${NAME} are`) },
      ]);
      expect(await stage.apply(spec())).toEqual([`update virtual host of ${NAME}`]);
      expect(await stage.plan(spec())).toEqual([]);
      expect(await findings()).toMatchObject([{ level: 'ok' }]);

      const { hits, swaps, asked } = await race(stage, (_hit, asked) => asked >= ENOUGH);
      console.info(`with: ${hits} of ${asked} answers, ${swaps} swaps`);
      expect(hits).toBe(0);
      expect(swaps).toBeGreaterThan(ENOUGH);

      expect((await stage.get(NAME, '/files/photo.txt')).body).toBe('a photo');
      for (const path of ['/files/own.txt', '/files/foreign.txt', '/files/etc/hostname'])
        expect((await stage.get(NAME, path)).body).toContain('"ran":"code\\/index.php"');
      // Its PHP sees what it makes.
      await writeFile(join(files(), 'new.txt'), 'new');
      expect((await stage.get(NAME, '/files/new.txt')).body).toBe('new');
    });
  },
);

/** Asks for a name that is a file and a link by turns. */
async function race(stage: Stage, over: (hit: boolean, asked: number) => boolean) {
  const files = siteLayout(stage.host.paths, SITE).files;
  const state = new SharedArrayBuffer(8);
  const told = new Int32Array(state);
  const [one, other] = [join(files, 'a.txt'), join(files, 'b.txt')];
  const worker = new Worker(new URL('../../../host/testing-swap.ts', import.meta.url), {
    workerData: { one, other, state },
  });
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let [asked, hits, enough] = [0, 0, false];
  const since = performance.now();
  const visitor = async () => {
    while (!enough) {
      const body = await bodyOf(stage, agent);
      asked += 1;
      if (body.includes(SECRET)) hits += 1;
      enough ||= over(hits > 0, asked) || performance.now() - since > LONGEST_MS;
    }
  };
  try {
    await Promise.race([Promise.all(Array.from({ length: AT_ONCE }, visitor)), ended]);
  } finally {
    enough = true;
    Atomics.store(told, 0, 1);
    await ended;
    agent.destroy();
  }
  return { asked, hits, swaps: told[1] ?? 0 };
}

function bodyOf({ daemon }: Stage, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: ADDRESS, port: daemon.port, path: '/files/a.txt', headers: { host: NAME }, agent };
    get(options, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve(Buffer.concat(chunks).toString());
    }).on('error', reject);
  });
}
