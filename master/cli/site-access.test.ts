// A person who closes a site to strangers and adds lines to its virtual host, at the command line against a real Admin API
// with a real store and runner; agents are scripted.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HttpSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { startMasterRunner } from '../../test/master-runner.ts';
import type { Runner } from '../task/runner.ts';
import { createProgram, runProgram } from './program.ts';
import { createCli } from './session.ts';

const PASSWORDS = ['correct horse', 'of bob, longer'] as const;
const SITE = 'example.org';
let master: MasterApi;
let runner: Runner;
const tokens: Record<string, string> = {};
const sent: { readonly kind: string; readonly value: unknown }[] = [];

beforeAll(async () => {
  master = await openMasterApi();
  const files = {
    'ca.pem': master.caPem,
    one: `${PASSWORDS[0]}\n`,
    two: `${PASSWORDS.join('\n')}\n`,
    short: 'short\n',
  };
  const snippets = { good: 'add_header X-A b;\n', bad: 'add_header X-A b;\n}\nserver {\n', none: '\n' };
  for (const [name, text] of Object.entries({ ...files, ...snippets })) writeFileSync(join(master.dir, name), text);
  for (const role of ['admin', 'operator'] as const) tokens[role] = await master.token({ role });
  runner = startMasterRunner(master, 'access-test');
  master.agents.before = ({ request }) => {
    sent.push({ kind: request.$case, value: request.value });
  };
});
beforeEach(() => {
  sent.length = 0;
});
afterAll(async () => {
  await runner.stop();
  await master.close();
});

async function aegir(role: 'admin' | 'operator', ...args: string[]) {
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end();
  const texts = [stdout, stderr].map(async (stream) => {
    let text = '';
    for await (const part of stream) text += String(part);
    return text;
  });
  const ca = join(master.dir, 'ca.pem');
  const env = { HOME: master.dir, AEGIR_ADDRESS: master.address, AEGIR_CA: ca, AEGIR_TOKEN: tokens[role] };
  const cli = createCli(env, stdin as never, stdout as never, stderr as never);
  const code = await runProgram(createProgram(cli, '0'), args, stderr as never);
  stdout.end();
  stderr.end();
  const [out = '', err = ''] = await Promise.all(texts);
  return { code, out, err };
}

const set = (...args: string[]) => aegir('operator', 'site', 'set', SITE, ...args);
const file = (name: string) => join(master.dir, name);
const show = async () => JSON.parse((await aegir('operator', 'site', 'show', SITE, '-o', 'json')).out);

/** What the web server was told last. */
function told(): HttpSpec {
  const specs = sent.flatMap(({ kind, value }) => {
    const { spec } = value as { spec?: { $case: string; value: HttpSpec } };
    return kind === 'apply' && spec?.$case === 'http' ? [spec.value] : [];
  });
  const last = specs.at(-1);
  if (last === undefined) throw new Error('the web server was told nothing');
  return last;
}

test('users are let in by password: hashed and sealed, told to the web server, and nowhere in the open', async () => {
  const plan = await set('--auth-user', 'alice', '--auth-password-file', file('one'), '--plan');
  expect([plan.code, plan.out + plan.err]).toEqual([0, expect.stringMatching(/to alice by password/)]);
  expect(plan.out + plan.err).toMatch(/can be read on the way over plain HTTP/);
  expect((await show()).auth).toBeUndefined();

  const ran = await set('--auth-user', 'alice', 'bob', '--auth-password-file', file('two'), '--auth-realm', 'Staff');
  expect([ran.code, ran.err]).toEqual([0, expect.stringMatching(/: done\n$/)]);
  expect((await show()).auth).toEqual({ realm: 'Staff', users: ['alice', 'bob'] });
  expect(told().auth).toMatchObject({ realm: 'Staff', users: [{ name: 'alice' }, { name: 'bob' }] });
  const probes = sent.filter(({ kind }) => kind === 'probeSite');
  expect(probes.map(({ value }) => (value as { asksPassword: boolean }).asksPassword)).toEqual([true]);

  const { tasks, sites, secrets } = master.store;
  const kept = JSON.stringify([await tasks.list({ limit: 100 }), await sites.find(), await secrets.find()]);
  for (const password of PASSWORDS) expect(kept).not.toContain(password);
  expect(JSON.stringify([await tasks.list({ limit: 100 }), await sites.find()])).not.toContain('$6$');
  expect((await aegir('operator', 'site', 'show', SITE)).out).toMatch(/Password: +for alice, bob \(Staff\)\n/);
});

test('a user is taken away, the last one only by saying that everybody may come; hashes go with them', async () => {
  const before = (await master.store.secrets.find()).length;
  expect((await set('--remove-auth-user', 'bob')).code).toBe(0);
  expect(told().auth?.users.map(({ name }) => name)).toEqual(['alice']);
  expect((await master.store.secrets.find()).length).toBe(before - 1);
  expect(await set('--remove-auth-user', 'alice')).toMatchObject({ code: 1, err: expect.stringMatching(/--no-auth/) });
  expect(await set('--remove-auth-user', 'carol')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/none of them/),
  });
  // What else is changed leaves them.
  expect((await set('--php-time', '90')).code).toBe(0);
  expect(told().auth?.users.map(({ name }) => name)).toEqual(['alice']);
  expect((await set('--no-auth')).code).toBe(0);
  expect(told().auth).toBeUndefined();
  expect((await show()).auth).toBeUndefined();
  expect((await master.store.secrets.find()).length).toBe(before - 2);
});

test.each([
  [['--auth-user', 'alice'], /there is no terminal; give it by --auth-password-file/],
  [['--auth-user', 'a:b', '--auth-password-file', 'one'], /cannot use "a:b" as user/],
  [['--auth-user', 'alice', '--auth-password-file', 'short'], /cannot use that password of alice: it needs 8/],
  [['--auth-user', 'alice', '--auth-password-file', 'two'], /it has 2 lines, and 1 users are named/],
  [['--auth-password-file', 'one'], /say whose passwords they are/],
  [['--auth-realm', 'Staff'], /it asks nobody for a password/],
  [['--auth-user', 'alice', '--auth-password-file', 'one', '--auth-realm', 'a"b'], /cannot use "a\\"b" as realm/],
])('site set %j is refused', async (args, says) => {
  const given = args.map((arg, at) => (args[at - 1] === '--auth-password-file' ? file(arg) : arg));
  const ran = await set(...given);
  expect(ran.code).toBeGreaterThan(0);
  expect(ran.err).toMatch(says);
  expect(ran.err).not.toMatch(/short\n|correct horse/);
  expect(sent).toEqual([]);
});

test('a snippet is an administrator\u2019s to give: planned, told, shown, taken away, and audited', async () => {
  const outcome = async () =>
    (await master.store.audit.list(undefined, 100)).filter(({ method }) => method === 'site.set web-snippet');
  const refused = await set('--web-snippet', file('good'));
  expect(refused).toMatchObject({ code: 3, err: expect.stringMatching(/takes role admin, and you have operator/) });
  expect((await outcome()).map(({ outcome: how }) => how)).toEqual(['permission_denied']);
  expect((await set('--no-web-snippet')).code).toBe(3);

  const admin = (...args: string[]) => aegir('admin', 'site', 'set', SITE, ...args);
  const plan = await admin('--web-snippet', file('good'), '--plan');
  expect(plan.out + plan.err).toMatch(/with a snippet of 1 line for nginx/);
  expect((await admin('--web-snippet', file('good'))).code).toBe(0);
  expect(told().snippet).toEqual({ engine: 'nginx', text: 'add_header X-A b;\n' });
  expect((await show()).snippet).toEqual({ engine: 'nginx', text: '', bytes: 18 });
  expect((await aegir('admin', 'site', 'show', SITE)).out).toMatch(/Snippet: +for nginx: add_header X-A b;/);
  // It may hold keys: others learn that there is one.
  for (const args of [
    ['site', 'show', SITE],
    ['site', 'show', SITE, '-o', 'json'],
    ['site', 'list', '-o', 'json'],
  ]) {
    const { out } = await aegir('operator', ...args);
    expect(out).toMatch(/Snippet: +for nginx: 18 bytes, shown to administrators|"bytes": 18/);
    expect(out).not.toContain('X-A');
  }
  // An operator's other changes leave it.
  expect((await set('--php-time', '80')).code).toBe(0);
  expect(told().snippet?.engine).toBe('nginx');

  const out = await admin('--web-snippet', file('bad'));
  expect(out).toMatchObject({ code: 2, err: expect.stringMatching(/line 2: "}" without/) });
  expect((await admin('--web-snippet', file('none'))).err).toMatch(/it is empty; to take the snippet away/);
  expect((await admin('--no-web-snippet')).code).toBe(0);
  expect(told().snippet).toBeUndefined();
  expect((await outcome()).map(({ outcome: how }) => how).filter((how) => how === 'ok')).toHaveLength(3);
});
