// Row 7: a new engine is one folder and its line in engines.ts. A copy of the agent gets the folder of the toy and the line, and
// nothing else; a master that never heard of it enables what that agent detects, and a zone is served by it.
// @module-tag deep
import { Resolver } from 'node:dns/promises';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Child } from '../../deploy/up/child.ts';
import { SERVERS, startAgent, until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  ServerServiceService,
  ServiceServiceService,
  ZoneServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { createMachine, finish, type Machine } from '../e2e/machine.ts';
import { startToy, type ToyWorld } from './world.ts';

const root = new URL('../..', import.meta.url).pathname;
const [WEB1] = SERVERS;
let copy: string;
let machine: Machine;
let agent: Child;
let toy: ToyWorld;

/** Paths of files that differ from ours. */
const added: string[] = [];

function copyAgent(): void {
  copy = mkdtempSync(join(tmpdir(), 'aegir-copy-'));
  for (const name of ['agent', 'shared']) cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of ['package.json', 'proto']) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  // The folder. Its imports are those of a file two folders deeper.
  const folder = 'agent/engine/dns/toy';
  mkdirSync(join(copy, folder));
  const engine = readFileSync(join(root, 'test/toy/engine.ts'), 'utf8').replaceAll("'../../", "'../../../../");
  writeFileSync(join(copy, folder, 'engine.ts'), engine);
  added.push(`${folder}/engine.ts`);
  // The line, with the import that names it.
  const list = join(copy, 'agent/engine/engines.ts');
  const text = readFileSync(list, 'utf8');
  const lined = text
    .replace('    createNullDnsEngine(),\n', '    createNullDnsEngine(),\n    createToyEngine(),\n')
    .replace(
      'import type { Engine }',
      "import { createToyEngine } from './dns/toy/engine.ts';\nimport type { Engine }",
    );
  expect(lined.split('\n').length).toBe(text.split('\n').length + 2);
  writeFileSync(list, lined);
  added.push('agent/engine/engines.ts');
}

/** Relative paths of files that are not as in our tree. */
function changed(): readonly string[] {
  return ['agent', 'shared'].flatMap((top) =>
    readdirSync(join(copy, top), { recursive: true, withFileTypes: true }).flatMap((entry) => {
      if (!entry.isFile()) return [];
      const path = join(entry.parentPath, entry.name).slice(copy.length + 1);
      const [there, ours] = [copy, root].map((base) => {
        try {
          return readFileSync(join(base, path), 'utf8');
        } catch {
          return undefined;
        }
      });
      return there === ours ? [] : [path];
    }),
  );
}

beforeAll(async () => {
  copyAgent();
  machine = await createMachine();
  await machine.start('master');
  const run = join(machine.layout.dir, 'web1/host/run');
  mkdirSync(run, { recursive: true });
  toy = await startToy('127.53.21.1', 'example.org', join(run, 'toy-dns.json'));
  if (WEB1 === undefined) throw new Error('there is no web1');
  agent = await startAgent(machine.layout, machine.connection(), { ...WEB1, types: [] }, {}, copy);
});

afterAll(async () => {
  await agent?.stop();
  await toy?.close();
  await machine?.close();
  rmSync(copy, { recursive: true, force: true });
});

const link = () => machine.connection();

async function done(change: Promise<ChangeResponse>): Promise<void> {
  const { task } = await finish(machine, (await change).taskId);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
}

async function addresses(name: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 3 });
  resolver.setServers([toy.address]);
  return resolver.resolve4(name).catch(() => []);
}

test('nothing else was changed', () => {
  expect([...changed()].sort()).toEqual([...added].sort());
});

test('it is detected, enabled, verified, and serves', async () => {
  const service = 'web1/toy';
  await until('the toy to be detected', agent, AbortSignal.timeout(60_000), async () => {
    const { services } = await link().call(ServiceServiceService.listServices, {
      ...{ pageSize: 0, pageToken: '', server: '', type: 'dns' },
    });
    return services.some(
      ({ name, state, detected }) => name === service && state === 'detected' && detected?.manageable,
    );
  });
  await done(link().call(ServiceServiceService.enableService, { service, options: undefined }));
  const values = {
    ...{ nameservers: [], contact: '', ttl: 300, lowTtl: 60, ttlPolicy: '', leadSeconds: 0, negativeTtl: 0 },
    dnssec: false,
  };
  await done(link().call(ZoneServiceService.addZone, { name: 'example.org', service, values, options: undefined }));
  const record = { name: 'www.example.org', type: 'A', data: '192.0.2.80', ttl: 0, zone: '', options: undefined };
  await done(link().call(ZoneServiceService.addRecord, record));
  expect(await addresses('www.example.org')).toEqual(['192.0.2.80']);

  await toy.remove('www.example.org', 'A');
  const zone = { zone: 'example.org', confirm: true, options: undefined };
  await done(link().call(ZoneServiceService.verifyZone, zone));
  expect(await addresses('www.example.org')).toEqual(['192.0.2.80']);

  const { taskId } = await link().call(ServerServiceService.verifyServer, {
    ...{ server: 'web1', checkOnly: true, options: undefined },
  });
  await finish(machine, taskId);
  const report = await link().call(ServerServiceService.getServerReport, { server: 'web1', taskId });
  const told = report.findings.filter(({ code }) => code === 'dns.service' || code === 'dns.zone');
  expect(told.map(({ subject, severity }) => `${subject} ${severity}`)).toEqual([
    'web1/toy ok',
    'web1/toy zone:example.org ok',
  ]);
});
