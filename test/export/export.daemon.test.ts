// A backup leaves by every door as the same tar: casync's, the agent's own, and the export by way of the master.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Tools } from '../../agent/action/action.ts';
import { createExportBackup } from '../../agent/action/export-backup.ts';
import { openStoreScene, refsOf, type StoreScene } from '../../agent/backup/store/testing/scene.ts';
import { meshSubject } from '../../agent/backup/store/testing/subjects.ts';
import { openFileStage } from '../../agent/engine/conformance/file-stage.ts';
import { createUplink } from '../../agent/session/uplink.ts';
import { createRig, type Identity, type Rig } from '../../master/session/testing/rig.ts';

const run = promisify(execFile);
const KEY = '0123456789abcdef'.repeat(4);
const ID = 'bak-0000000000000001';
const root = new URL('../..', import.meta.url).pathname;

let scene: StoreScene;
let rig: Rig;
let identity: Identity;
const begin = async (key?: string) => {
  const stage = await openFileStage(meshSubject);
  await stage.prepare();
  scene = openStoreScene(stage, key);
  rig = await createRig();
  identity = await rig.server();
};
afterEach(async () => {
  await scene.close();
  await scene.stage.close();
  await rig.close();
});

const uplink = () => {
  const link = createUplink();
  const { certificatePem, keyPem, serverId } = identity;
  const caPem = rig.authority.caPem;
  const address = `127.0.0.1:${rig.agents.port}`;
  link.use(address, {
    serverId,
    name: 'store1',
    masters: [address],
    enrolAddresses: [],
    certificatePem,
    keyPem,
    caPem,
  });
  return link;
};
const send = (uploadId: string, digest: Uint8Array) => {
  const { service, stage, stores } = scene;
  const tools = { stores, uplink: uplink() } as unknown as Tools;
  const request = { service, backupId: ID, digest, uploadId };
  return createExportBackup().run(request, stage.ctx, tools, { resumed: false, hide: () => {} });
};
const gathered = async (pieces: AsyncIterable<Uint8Array>) => {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
};
const storePath = () => scene.service.settings['root'] ?? '';

/** The agent's own program, as a person runs it when the master is lost. */
async function agent(args: readonly string[], input = ''): Promise<{ code: number; out: Buffer; said: string }> {
  const child = spawn(process.execPath, [join(root, 'agent/main.ts'), 'backup', ...args]);
  child.stdin.end(input);
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const [out, said, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
  return { code, out, said: said.toString() };
}

describe.each([
  { title: 'plain', key: undefined },
  { title: 'encrypted', key: KEY },
])('a backup that is $title', ({ key }) => {
  beforeEach(() => begin(key));

  test('is the same tar by every door', async () => {
    const files = [randomBytes(3_000_000), Buffer.alloc(2_000_000, 'text '), randomBytes(10_000), Buffer.alloc(1024)];
    const { digest, bytes } = await scene.store(scene.order([scene.part('files', files)], ID));
    const upload = rig.sessions.expectUpload(identity.serverId);
    const [sent] = await Promise.all([gathered(upload.pieces()), send(upload.id, digest)]);
    const tar = zstdDecompressSync(sent);
    expect(tar.length).toBe(Number(bytes));

    const keyFile = join(scene.stage.host.paths.work, 'key');
    await writeFile(keyFile, `${KEY}\n`, { mode: 0o600 });
    const args = ['--store', storePath(), ...(key === undefined ? [] : ['--key-file', keyFile])];
    const own = await agent(['extract', ...args, ID]);
    expect(own).toMatchObject({ code: 0, said: '' });
    expect(own.out.equals(tar)).toBe(true);
    const listed = await agent(['list', ...args]);
    expect(listed.out.toString()).toMatch(
      /^bak-0000000000000001 {2}2026-11-27T02:00:00.000Z {2}[\d.]+ [KM]?i?B {2}\S*example\.org\b.*\n/,
    );
    expect(listed.out.toString()).not.toMatch(/[{}"]/);

    if (key !== undefined) return;
    const out = join(scene.stage.host.paths.work, 'out.tar');
    const index = join(storePath(), 'backups', `${ID}.caibx`);
    await run('casync', ['extract', `--store=${join(storePath(), 'chunks')}`, index, out]);
    const { stdout } = await run('cat', [out], { encoding: 'buffer', maxBuffer: 1 << 30 });
    expect(stdout.equals(tar)).toBe(true);
  });

  test('is not given out half: damage ends the upload, and is told', async () => {
    const files = Array.from({ length: 8 }, () => randomBytes(500_000));
    const { digest } = await scene.store(scene.order([scene.part('files', files)], ID));
    const wrong = rig.sessions.expectUpload(identity.serverId);
    await expect(send(wrong.id, randomBytes(32))).rejects.toMatchObject({ code: 'data_loss' });
    // The last one: much has gone up before.
    const object = await scene.read(async ({ form }) => form.chunk(refsOf(files).at(-1)?.id ?? ''));
    await writeFile(join(storePath(), object), 'no chunk');
    const upload = rig.sessions.expectUpload(identity.serverId);
    const [got, sent] = await Promise.allSettled([gathered(upload.pieces()), send(upload.id, digest)]);
    expect(sent).toMatchObject({ status: 'rejected', reason: { code: 'data_loss' } });
    expect(got).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  });
});

describe('without a master', () => {
  beforeEach(() => begin(KEY));

  test('a wrong key, no key, no store and no backup are told, and nothing is changed', async () => {
    await scene.store(scene.order([scene.part('files', [randomBytes(1000)])], ID));
    const before = await scene.stage.world.everything();
    const at = ['--store', storePath()];
    expect(await agent(['list', ...at])).toMatchObject({ code: 1, said: expect.stringMatching(/its key is needed/) });
    expect(await agent(['list', ...at, '--key-file', '-'], 'cd'.repeat(32))).toMatchObject({
      code: 1,
      said: expect.stringMatching(/another key/),
    });
    expect(await agent(['extract', ...at, '--key-file', '-', 'bak-0000000000000009'], KEY)).toMatchObject({
      code: 1,
      said: expect.stringMatching(/no such backup/),
    });
    const none = await agent(['list', '--store', '/nowhere']);
    expect(none).toMatchObject({ code: 1, said: expect.stringMatching(/\/nowhere does not exist/) });
    expect(await scene.stage.world.everything()).toEqual(before);
  });
});
