// Large files through the whole: backup, wipe, restore. One that nothing compresses and one that is mostly a hole, of 300 MB
// each; AEGIR_BIG=5 makes them 5 GB. Content is compared by digest; memory of the agents is told, and bounded. And files of
// nearly nothing but holes: 100 GB are kept at once, 15 TB are told by name before anybody waits for the store.
// @module-tag deep
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChangeResponse, ServiceServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';

const GB = 1e9;
const SIZE = Math.round(Number(process.env['AEGIR_BIG'] ?? '0.3') * GB);
/** Of a task and of a test; 5 GB take a minute or two each way on two cores. */
const PATIENCE_MS = 60_000 + (SIZE / GB) * 120_000;
/** Of an agent, whatever the size of the site. */
const MOST_RSS = 400e6;
const PIECE = 16 * 1024 * 1024;
let machine: Machine;
let siteId = '';

const link = () => machine.connection();
const files = (name = '') => join(machine.layout.dir, 'web1/host/sites', siteId, 'files', name);

beforeAll(async () => {
  machine = await startMachine();
  await addWordpress(machine);
  siteId = (await succeeded(installSite(machine))).subjectId;
  await succeeded(link().call(ServiceServiceService.enableService, { service: 'db1/mesh', options: undefined }));
});
afterAll(() => machine?.close());

async function succeeded(change: Promise<ChangeResponse>) {
  const { task, events } = await finish(machine, (await change).taskId, PATIENCE_MS);
  const log = events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : [])).join('\n');
  expect(task.state, `${task.reason}\n${log}`).toBe('succeeded');
  return task;
}

/** 64 KiB at the beginning, in the middle and at the end of the hole. */
function makeFiles(): void {
  const { uid, gid } = statSync(files());
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  const full = openSync(files('film.mp4'), 'w');
  for (let at = 0; at < SIZE; at += PIECE) writeSync(full, cipher.update(Buffer.alloc(Math.min(PIECE, SIZE - at))));
  closeSync(full);
  const hollow = openSync(files('disk.img'), 'w');
  for (const at of [0, Math.floor(SIZE / 2) + 12_345, SIZE - 65_536])
    writeSync(hollow, randomBytes(65_536), 0, 65_536, at);
  closeSync(hollow);
  for (const name of ['film.mp4', 'disk.img']) chownSync(files(name), uid, gid);
}

async function look(name: string) {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(files(name), { highWaterMark: PIECE })) hash.update(piece as Buffer);
  const { mode, uid, gid, size, mtimeNs } = statSync(files(name), { bigint: true });
  return { digest: hash.digest('hex'), mode, uid, gid, size, mtimeNs };
}

/** Most bytes that the process had in memory so far. */
function peakOf(server: string): number {
  const status = readFileSync(`/proc/${machine.process(server).pid}/status`, 'utf8');
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(status)?.[1]) * 1024;
}

test(
  'backup, wipe, restore: a large file and a sparse one are what they were; memory of the agents is bounded',
  async () => {
    makeFiles();
    const rest = ['web1', 'db1'].map(peakOf);
    const before = { film: await look('film.mp4'), disk: await look('disk.img') };
    const database = `site_${siteId.slice('site-'.length)}`;
    const posts = () => sql(machine, `SELECT post_title, post_content FROM ${database}.wp_posts ORDER BY ID`);
    const written = posts();

    const began = performance.now();
    await succeeded(
      link().call(BackupServiceService.createBackup, {
        ...{ site: SITE, service: 'db1/mesh', note: '', keep: false, options: undefined },
      }),
    );
    const kept = performance.now();
    const { backups } = await link().call(BackupServiceService.listBackups, {
      ...{ site: SITE, service: '', pageSize: 0, pageToken: '' },
    });
    for (const name of readdirSync(files())) rmSync(files(name), { recursive: true });
    sql(machine, `DELETE FROM ${database}.wp_posts`);

    const wiped = performance.now();
    await succeeded(
      link().call(BackupServiceService.restoreBackup, {
        ...{ backup: backups[0]?.id ?? '', confirm: true, newName: '', platform: '', db: '', options: undefined },
      }),
    );
    const restored = performance.now();
    const peaks = ['web1', 'db1'].map(peakOf);
    const mb = (bytes: readonly number[]) => bytes.map((each) => `${(each / 1e6).toFixed(0)} MB`).join(' and ');
    console.log(
      `${SIZE / GB} GB and as much sparse: backup ${((kept - began) / 1000).toFixed(1)} s, restore ${((restored - wiped) / 1000).toFixed(1)} s; ` +
        `memory of web1 and db1 ${mb(rest)} at rest, ${mb(peaks)} at most`,
    );
    expect({ film: await look('film.mp4'), disk: await look('disk.img') }).toEqual(before);
    expect(statSync(files('disk.img')).blocks * 512).toBeLessThan(Math.max(50e6, SIZE / 10));
    expect(posts()).toEqual(written);
    for (const peak of peaks) expect(peak).toBeLessThan(MOST_RSS);
  },
  3 * PATIENCE_MS,
);

test(
  '100 GB of holes are kept and come back at once; 15 TB are refused by name, and the store is pruned meanwhile',
  async () => {
    const backup = () =>
      link().call(BackupServiceService.createBackup, {
        ...{ site: SITE, service: 'db1/mesh', note: '', keep: false, options: undefined },
      });
    const { uid, gid } = statSync(files());
    const image = openSync(files('machine.img'), 'w');
    const content = randomBytes(65_536);
    for (const at of [0, 50 * GB, 100 * GB]) writeSync(image, content, 0, content.length, at);
    closeSync(image);
    chownSync(files('machine.img'), uid, gid);
    const began = performance.now();
    await succeeded(backup());
    const kept = performance.now();
    const { backups } = await link().call(BackupServiceService.listBackups, {
      ...{ site: SITE, service: '', pageSize: 0, pageToken: '' },
    });
    rmSync(files('machine.img'));

    writeFileSync(files('silly.img'), '');
    truncateSync(files('silly.img'), 15e12);
    const change = await backup();
    const { task, events } = await finish(machine, change.taskId, PATIENCE_MS);
    expect(task).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/^cannot keep files\/silly\.img: it says to be 13\.6 TiB long, .* remove it/),
    });
    const hold = change.plan?.steps.findIndex(({ kind }) => kind === 'store.hold') ?? -1;
    expect(hold).toBeGreaterThan(0);
    expect(events.filter(({ step }) => step === hold)).toEqual([]);
    const asked = { service: 'db1/mesh', options: undefined };
    await succeeded(link().call(BackupServiceService.pruneStore, asked));
    rmSync(files('silly.img'));

    const wiped = performance.now();
    await succeeded(
      link().call(BackupServiceService.restoreBackup, {
        ...{ backup: backups[0]?.id ?? '', confirm: true, newName: '', platform: '', db: '', options: undefined },
      }),
    );
    const restored = performance.now();
    console.log(
      `100 GB of holes: backup ${((kept - began) / 1000).toFixed(1)} s, restore ${((restored - wiped) / 1000).toFixed(1)} s`,
    );
    const { size, blocks } = statSync(files('machine.img'));
    expect([size, blocks * 512 < 1e6]).toEqual([100 * GB + content.length, true]);
    const there = openSync(files('machine.img'), 'r');
    for (const at of [0, 50 * GB, 100 * GB]) {
      const read = Buffer.alloc(content.length);
      readSync(there, read, 0, read.length, at);
      expect(read.equals(content)).toBe(true);
    }
    closeSync(there);
  },
  3 * PATIENCE_MS,
);
