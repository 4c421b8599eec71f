// File services through the whole: declared with credentials, proven before they are enabled, verified; a share that several
// servers name is one tree or the server that sees another one is named.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSshWorld } from '../../agent/engine/conformance/file-ssh-world.ts';
import type { FileWorld } from '../../agent/engine/conformance/file-stage.ts';
import { type ChangeResponse, ServerServiceService, ServiceServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { type Finished, finish, type Machine, startMachine } from './machine.ts';

const isRoot = process.geteuid?.() === 0;
let machine: Machine;
let world: FileWorld;
let base: string;
const mounted: string[] = [];

beforeAll(async () => {
  world = await openSshWorld('key');
  base = mkdtempSync(join(tmpdir(), 'aegir-shares-'));
  machine = await startMachine();
});
afterAll(async () => {
  await machine?.close();
  await world?.close();
  for (const path of mounted) execFileSync('umount', ['--lazy', path]);
  rmSync(base, { recursive: true, force: true });
});

const link = () => machine.connection();

async function ended(
  change: Promise<ChangeResponse>,
): Promise<Finished & { readonly outcome: string; readonly log: string }> {
  const finished = await finish(machine, (await change).taskId);
  const log = finished.events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : [])).join('\n');
  return { ...finished, outcome: `${finished.task.state} ${finished.task.reason}`, log };
}

type Map = Readonly<Record<string, string>>;
const declare = (server: string, engine: string, instance: string, settings: Map, secrets: Map = {}) =>
  link().call(ServiceServiceService.declareService, {
    ...{
      server,
      type: 'file',
      engine,
      instance,
      settings: { ...settings },
      secrets: { ...secrets },
      options: undefined,
    },
  });
const verify = (service: string, planOnly = false) =>
  link().call(ServiceServiceService.verifyService, { service, options: { planOnly, idempotencyKey: '' } });
const names = async () => {
  const request = { pageSize: 0, pageToken: '', server: '', type: 'file' };
  const { services } = await link().call(ServiceServiceService.listServices, request);
  return services.map(({ name, state }) => `${name} ${state}`).sort();
};

test('every server can carry a mesh store, which is proven when it is enabled and by server verify', async () => {
  expect(await names()).toEqual(['db1/mesh detected', 'web1/mesh detected']);
  const service = 'web1/mesh';
  const enabled = await ended(link().call(ServiceServiceService.enableService, { service, options: undefined }));
  expect(enabled.outcome).toBe('succeeded ');
  expect(enabled.log).toMatch(/wrote 65536 bytes as aegir-probe\/\w+ in \d+ ms, read them back in \d+ ms/);
  const verified = await ended(
    link().call(ServerServiceService.verifyServer, { server: 'web1', options: undefined, checkOnly: false }),
  );
  expect(verified.outcome).toBe('succeeded ');
  expect(verified.log).toMatch(/web1\/mesh: opened in .* removed them in \d+ ms/);
});

test('services of other types are verified by the same command', async () => {
  const verified = await ended(verify('web1/nginx'));
  expect(verified.outcome).toBe('succeeded ');
  expect(verified.log).toMatch(/service:nginx/);
  await expect(verify('db1/mesh')).rejects.toThrow(/it is detected; run: aegir service enable db1\/mesh/);
});

test('a server elsewhere is declared with its credentials; what is wrong is said, and nothing of it stays', async () => {
  const { settings, secrets } = world.declared;
  const before = await names();
  const strange = await ended(declare('web1', 'sftp', 'offsite', settings, world.strange?.secrets));
  expect(strange.outcome).toMatch(/^failed cannot use web1\/sftp:offsite: .* does not accept our key/);
  const other = await ended(declare('web1', 'sftp', 'offsite', world.otherHost?.settings ?? {}, secrets));
  expect(other.outcome).toMatch(/^failed .* shows another host key than the one that is pinned/);
  expect(await names()).toEqual(before);
  const told = JSON.stringify([strange, other], (_, value) => (typeof value === 'bigint' ? String(value) : value));
  for (const line of Object.values(secrets).flatMap((text) => text.split('\n').slice(1, -2))) {
    expect(told).not.toContain(line);
  }

  expect((await ended(declare('web1', 'sftp', 'offsite', settings, secrets))).outcome).toBe('succeeded ');
  const shown = await link().call(ServiceServiceService.getService, { service: 'web1/sftp:offsite' });
  expect(shown).toMatchObject({ state: 'enabled', origin: 'declared', secrets: ['key'] });
  const { plan } = await verify('web1/sftp:offsite', true);
  expect(plan?.steps.map(({ summary }) => summary)).toContain(
    'Write, read back and remove a probe on web1/sftp:offsite',
  );
  const verified = await ended(verify('web1/sftp:offsite'));
  expect(verified.outcome).toBe('succeeded ');
  expect(verified.log).toMatch(/service:sftp:offsite: opened in \d+ ms, wrote 65536 bytes/);
  expect(await world.everything()).toEqual([]);
});

test.skipIf(!isRoot)('a share is one tree, or the server that sees another one is named', async () => {
  const mount = (name: string): string => {
    const path = join(base, name);
    execFileSync('mkdir', ['-p', path]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0777', 'tmpfs', path]);
    mounted.push(path);
    return path;
  };
  const [nas, other] = [mount('nas'), mount('other')];
  const share = { share: 'nas' };
  // Said before a task begins.
  await expect(declare('web1', 'mount', 'lone', { path: base, ...share })).rejects.toThrow(
    /nothing is mounted there, it lies on the root file system/,
  );
  expect((await ended(declare('web1', 'mount', 'nas', { path: nas, ...share }))).outcome).toBe('succeeded ');
  expect((await ended(declare('db1', 'mount', 'nas', { path: nas, ...share }))).outcome).toBe('succeeded ');
  const same = await ended(verify('web1/mount:nas'));
  expect(same.outcome).toBe('succeeded ');
  expect(same.log).toMatch(/it sees the same tree, and writes there/);

  const moved = link().call(ServiceServiceService.setService, {
    ...{ service: 'db1/mount:nas', settings: { path: other }, secrets: {}, unset: [], options: undefined },
    ...{ moved: false, leaveBackups: false },
  });
  expect((await ended(moved)).outcome).toBe('succeeded ');
  const apart = await ended(verify('web1/mount:nas'));
  expect(apart.outcome).toMatch(/^failed cannot call share nas one tree: db1\/mount:nas: it sees another tree/);

  execFileSync('umount', ['--lazy', other]);
  mounted.splice(mounted.indexOf(other), 1);
  const gone = await ended(verify('web1/mount:nas'));
  expect(gone.outcome).toMatch(/^failed .*db1\/mount:nas: cannot use .*other: nothing is mounted there/);
  expect(readdirSync(other)).toEqual([]);
  // Nothing is left of tokens and probes.
  expect(readdirSync(nas).filter((name) => !name.startsWith('.'))).toEqual([]);
});
if (!isRoot) console.warn('SKIPPED: shares of several servers (root is needed to mount)');
