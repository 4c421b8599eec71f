// A person with a DNS server elsewhere: declares it, adds a zone and records, changes and removes them, at the command
// line against a real Admin API with a real store and runner; agents are scripted.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { startMasterRunner } from '../../test/master-runner.ts';
import type { Runner } from '../task/runner.ts';
import { createProgram, runProgram } from './program.ts';
import { createCli } from './session.ts';

const SECRET = 'c2VjcmV0IG9mIHRoZSB6b25l';
let master: MasterApi;
let runner: Runner;
let token: string;

beforeAll(async () => {
  master = await openMasterApi();
  writeFileSync(join(master.dir, 'ca.pem'), master.caPem);
  writeFileSync(join(master.dir, 'tsig'), `${SECRET}\n`);
  token = await master.token();
  runner = startMasterRunner(master, 'zone-test');
});
afterAll(async () => {
  await runner.stop();
  await master.close();
});

async function aegir(...args: string[]) {
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end();
  const texts = [stdout, stderr].map(async (stream) => {
    let text = '';
    for await (const part of stream) text += String(part);
    return text;
  });
  const env = {
    ...{ HOME: master.dir, AEGIR_ADDRESS: master.address, AEGIR_CA: join(master.dir, 'ca.pem') },
    AEGIR_TOKEN: token,
  };
  const cli = createCli(env, stdin as never, stdout as never, stderr as never);
  const code = await runProgram(createProgram(cli, '0'), args, stderr as never);
  stdout.end();
  stderr.end();
  const [out = '', err = ''] = await Promise.all(texts);
  return { code, out, err };
}

async function done(...args: string[]): Promise<string> {
  const ran = await aegir(...args);
  expect([ran.code, ran.err]).toEqual([0, expect.stringMatching(/: done\n$/)]);
  return ran.err;
}

test('a service elsewhere is declared; its secret is told to its agent, and to nobody else', async () => {
  const at = ['service', 'declare', 'web1/rfc2136:provider', '--type', 'dns', '--set', 'server=192.0.2.53:53'];
  const secret = ['key-name=aegir', '--secret', `key=${join(master.dir, 'tsig')}`];
  await done(...at, ...secret);
  const sent: unknown[] = [];
  master.agents.before = ({ request }) => {
    sent.push(request.value);
  };
  await done('service', 'set', 'web1/rfc2136:provider', '--set', 'server=192.0.2.54');
  expect(sent).toMatchObject([
    {
      service: {
        ...{ engine: 'rfc2136', instance: 'provider', secrets: { key: SECRET } },
        settings: { server: '192.0.2.54', 'key-name': 'aegir' },
      },
    },
  ]);
  master.agents.before = () => {};
  const shown = await aegir('service', 'show', 'web1/rfc2136:provider');
  expect(shown.out).toMatch(/Settings: +server=192\.0\.2\.54, key-name=aegir\n/);
  expect(shown.out).toMatch(/Secrets: +key \(set\)\n/);
  // Neither the records nor the story know it in the open.
  const kept = JSON.stringify([await master.store.tasks.list({ limit: 100 }), await master.store.services.find()]);
  expect(kept).not.toContain(SECRET);
  const again = await aegir('service', 'declare', 'web1/rfc2136:provider', '--type', 'dns');
  expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/it is there/) });
});

test.each(['unimplemented', 'invalid_argument', 'permission_denied'])(
  'what an agent refuses as %s fails alike with --plan and without: it is no wrong usage',
  async (code) => {
    const message = 'cannot use nowhere as dns service: this agent has no such engine';
    const { ask } = master.agents;
    const error = { code, message, retryable: false, untouched: true };
    master.agents.ask = async () => ({ actionId: '', changes: [], outcome: { $case: 'error', value: error } });
    try {
      const declare = ['service', 'declare', 'web1/nowhere', '--type', 'dns'];
      for (const argv of [declare, [...declare, '--plan']]) {
        expect(await aegir(...argv)).toMatchObject({ code: 1, err: expect.stringContaining(message) });
      }
    } finally {
      master.agents.ask = ask;
    }
    expect((await aegir('service', 'list')).out).not.toContain('nowhere');
  },
);

test('zone and records: added, shown, changed, taken back', async () => {
  const add = ['zone', 'add', 'Example.ORG', '--ttl', '600'] as const;
  const elsewhere = { code: 1, err: expect.stringMatching(/does not make zones for Aegir; set them where/) };
  expect(await aegir(...add, '--ns', 'ns1.example.net')).toMatchObject(elsewhere);
  expect(await done(...add)).toMatch(/Add zone/);
  expect(await aegir('zone', 'set', 'example.org', '--contact', 'ops@example.net')).toMatchObject(elsewhere);
  const zone = JSON.parse((await aegir('zone', 'show', 'example.org', '-o', 'json')).out);
  expect(zone).toMatchObject({ service: 'web1/rfc2136:provider', madeHere: false, sites: 1, state: 'active' });
  expect(zone.values).toMatchObject({ ttl: 600, lowTtl: 60, ttlPolicy: 'normal' });

  await done('record', 'add', 'example.org', 'MX', '10', 'mail.example.org');
  await done('record', 'add', '@', 'TXT', 'v=spf1 mx -all', '--zone', 'example.org', '--ttl', '60');
  await done('record', 'add', 'mail.example.org', 'A', '192.0.2.25');
  const table = (await aegir('record', 'list', 'example.org')).out;
  expect(table).toMatch(/^example\.org +600 +A +192\.0\.2\.11 +site example\.org$/m);
  expect(table).toMatch(/^example\.org +600 +MX +10 mail\.example\.org +\(declared\)$/m);
  expect(table).toMatch(/^example\.org +60 +TXT +"v=spf1 mx -all" +\(declared\)$/m);

  const twice = await aegir('record', 'add', 'example.org', 'MX', '10', 'Mail.example.org.');
  expect(twice).toMatchObject({ code: 1, err: expect.stringMatching(/it is there already/) });
  const taken = await aegir('record', 'add', 'www.example.org', 'A', '192.0.2.1');
  expect(taken).toMatchObject({ code: 1, err: expect.stringMatching(/site example\.org has that name/) });
  const site = await aegir('site', 'install', 'mail.example.org', '--plan');
  expect(site.err).toMatch(/aegir record remove mail\.example\.org A/);

  expect((await aegir('zone', 'set', 'example.org', '--policy', 'low')).code).toBe(0);
  expect((await aegir('record', 'list', 'example.org')).out).toMatch(/^example\.org +60 +A /m);
  expect((await aegir('zone', 'set', 'example.org', '--dnssec')).err).toMatch(/does not sign zones/);
  await done('zone', 'verify', 'example.org');
  await done('record', 'remove', 'example.org', 'MX');
  const gone = await aegir('record', 'remove', 'example.org', 'MX');
  expect(gone).toMatchObject({ code: 1, err: expect.stringMatching(/none is declared/) });
});

test('what is in use stays, and a site goes by the zone of its name', async () => {
  const refused = await aegir('zone', 'remove', 'example.org', '--yes');
  expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/names of example\.org are in it/) });
  const service = await aegir('service', 'remove', 'web1/rfc2136:provider', '--yes');
  expect(service).toMatchObject({ code: 1, err: expect.stringMatching(/zone example\.org/) });
  const plan = await aegir('site', 'install', 'new.example.org', '--plan');
  expect(plan.out).toMatch(/Point new\.example\.org at web1 by web1\/rfc2136:provider/);

  await done('site', 'delete', 'example.org', '--yes');
  await done('zone', 'remove', 'example.org', '--yes');
  expect((await aegir('zone', 'list', '-o', 'json')).out).toBe('[]\n');
  expect(await master.store.records.find()).toEqual([]);
  const before = (await master.store.secrets.find()).length;
  expect((await aegir('service', 'remove', 'web1/rfc2136:provider', '--yes')).code).toBe(0);
  expect((await master.store.secrets.find()).length).toBe(before - 1);
  expect(master.faults).toEqual([]);
});
