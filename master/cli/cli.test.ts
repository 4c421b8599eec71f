// The command line against a real Admin API: exit codes, what goes to which stream, JSON and YAML that parse, live tasks,
// and names from the wire that would drive a terminal.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { startMasterRunner } from '../../test/master-runner.ts';
import { ids, site } from '../../test/records.ts';
import type { Runner } from '../task/runner.ts';
import { createProgram, runProgram } from './program.ts';
import { createCli } from './session.ts';

const EVIL = 'evil\u001b[2J\u202e\u009b31m';
const DRIVES = /(?!\n)[\p{Cc}\u202e]/u;
let master: MasterApi;
let runner: Runner;
const tokens = { admin: '', viewer: '', garbage: 'garbage' };

beforeAll(async () => {
  master = await openMasterApi();
  writeFileSync(join(master.dir, 'ca.pem'), master.caPem);
  tokens.admin = await master.token();
  tokens.viewer = await master.token({ role: 'viewer', description: EVIL });
  await master.store.clients.insert({ id: 'cli-0123456789abcde1', name: EVIL, mail: '' });
  runner = startMasterRunner(master, 'cli-test');
});
afterAll(async () => {
  await runner.stop();
  await master.close();
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function aegir(args: readonly string[], env: NodeJS.ProcessEnv = {}, input = ''): Promise<Ran> {
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const texts = [stdout, stderr].map(async (stream) => {
    const parts: string[] = [];
    for await (const part of stream) parts.push(String(part));
    return parts.join('');
  });
  const reached = {
    ...{ HOME: master.dir, AEGIR_ADDRESS: master.address, AEGIR_CA: join(master.dir, 'ca.pem') },
    ...{ AEGIR_TOKEN: tokens.admin, ...env },
  };
  const cli = createCli(reached, stdin as never, stdout as never, stderr as never);
  const code = await runProgram(createProgram(cli, '1.2.3'), args, stderr as never);
  stdout.end();
  stderr.end();
  const [out = '', err = ''] = await Promise.all(texts);
  return { code, out, err };
}

const as = (who: keyof typeof tokens) => ({ AEGIR_TOKEN: tokens[who] });

describe('exit codes, and errors on stderr alone', () => {
  test.each<readonly [number, string, NodeJS.ProcessEnv, RegExp]>([
    [1, 'site show nowhere.example', {}, /^aegir: cannot find site .*nowhere\.example.*\n$/],
    [1, 'site show nowhere.example -o json', {}, /^aegir: cannot find/],
    [2, 'site delete example.org', {}, /^aegir: cannot ask .*: there is no terminal; say --yes .*\n$/],
    [1, 'task cancel task-none', {}, /^aegir: cannot find task/],
    [1, 'site list --context none', { AEGIR_ADDRESS: '' }, /^aegir: cannot choose a master: .*aegir context add/],
    [
      2,
      'site list',
      { AEGIR_CA: '/none' },
      /^aegir: cannot read \/none for the CA certificate: there is no such file$/m,
    ],
    [
      1,
      'api call SiteService/None',
      {},
      /^aegir: cannot call "SiteService\/None": there is no such method; see: aegir api list\n$/,
    ],
    [2, 'site list -o xml', {}, /^aegir: cannot print as "xml": there are table, json, yaml\n$/],
    [2, 'site list --bogus', {}, /^error: unknown option '--bogus'/],
    [2, 'site bogus', {}, /^error: unknown command 'bogus'/],
    [2, 'site set example.org', {}, /^aegir: cannot set nothing: say what .* --add-alias, .*--cron.*\n$/],
    [2, 'site set example.org --plan', {}, /^aegir: cannot set nothing/],
    [
      2,
      'backup export bak-0123456789abcde1 --to /none/there/x',
      {},
      /^aegir: cannot write \/none\/there\/x: there is no such directory\n$/,
    ],
    [2, 'site show', {}, /^error: missing required argument 'site'/],
    [2, 'site', {}, /Usage: aegir site/],
    [2, '', {}, /Usage: aegir/],
    [
      1,
      'task list --subject nowhere.example',
      {},
      /^aegir: cannot list tasks of "nowhere\.example": there is no site, server, .* of that name; name what is gone by its id/,
    ],
    [1, 'task list --subject site-none', {}, /^aegir: cannot list tasks of "site-none": there is no site/],
    [2, 'task list --limit many', {}, /^aegir: cannot use "many" for --limit: a whole number is needed\n$/],
    [2, 'task list --limit 5000', {}, /^aegir: cannot list 5000 at once: page_size may be 1 to 1000\n$/],
    [2, 'site install ../../x --platform wordpress', {}, /^aegir: cannot use .*site name/],
    [2, 'completion tcsh', {}, /^aegir: cannot complete in "tcsh": there are bash, zsh, fish\n$/],
    [2, 'api call GetSite {', {}, /^aegir: cannot use that request: /],
    [2, 'api call GetSite []', {}, /^aegir: cannot use that request: a JSON object is needed\n$/],
    [2, 'api call GetSite {"sight":"x"}', {}, /^aegir: cannot use that request: \w+ has no sight; there are site\n$/],
    [
      2,
      'api call DeleteSite {"site":"x","options":{"planOnly":true}}',
      {},
      /ChangeOptions has no planOnly; there are plan_only/,
    ],
    [3, 'site list', { AEGIR_TOKEN: 'garbage' }, /^aegir: cannot authorise the call: .*aegir token create/],
    [
      3,
      'token list',
      { AEGIR_TOKEN: 'VIEWER' },
      /^aegir: cannot list tokens: it needs the role admin, and that of this token is viewer\n$/,
    ],
    [1, 'site usage nowhere.example', {}, /^aegir: cannot find site .*nowhere\.example.*\n$/],
    [2, 'site usage --days 401', {}, /^aegir: cannot tell what sites used in 401 days: 400 are kept\n$/],
    [2, 'site usage --days x', {}, /^aegir: cannot use "x" for --days: a whole number/],
    [2, 'site set example.org --cron now', {}, /^aegir: cannot use "now" for --cron: a time is needed/],
    [
      2,
      'site set example.org --cron 8d',
      {},
      /^aegir: cannot run the cron of example\.org every 691200 s: 60 s to 7 days/,
    ],
    [3, 'site cron example.org', { AEGIR_TOKEN: 'VIEWER' }, /it needs the role operator/],
    [1, 'site set example.org --https acme-dns', {}, /^aegir: cannot (serve|prove) example\.org/],
    [2, 'site rebind example.org', {}, /^aegir: cannot rebind: name one service, with --front or --dns\n$/],
    [
      2,
      'site rebind example.org --dns web1/null --patience 1h',
      {},
      /^aegir: cannot wait 3600 s: only a front serves on/,
    ],
    [1, 'site rebind example.org --dns web1/nginx', {}, /^aegir: cannot use web1\/nginx for site example\.org: .* dns/],
    [1, 'site rebind example.org --front db1/mariadb', {}, /^aegir: cannot use db1\/mariadb .* http is needed/],
    [1, 'server evacuate web1 --to db1', {}, /: no site can; cannot move to db1: no web server is enabled there; see:/],
    [3, 'site rebind example.org --dns web1/null', { AEGIR_TOKEN: 'VIEWER' }, /it needs the role operator/],
    [3, 'site delete example.org --yes', { AEGIR_TOKEN: 'VIEWER' }, /it needs the role operator/],
    [
      4,
      'site list',
      { AEGIR_ADDRESS: '127.0.0.1:1' },
      /^aegir: cannot reach the master at 127\.0\.0\.1:1: .*does it run/,
    ],
  ])('%i: aegir %s', async (code, line, env, err) => {
    const token = env['AEGIR_TOKEN'] === 'VIEWER' ? as('viewer') : {};
    const ran = await aegir(line === '' ? [] : line.split(' '), { ...env, ...token });
    expect(ran).toEqual({ code, out: '', err: expect.stringMatching(err) });
    expect(ran.err.trimEnd()).not.toMatch(DRIVES);
  });

  test('0: help and version, on stdout', async () => {
    for (const line of ['--help', 'site --help', 'site install --help', 'help site', '--version']) {
      const ran = await aegir(line.split(' '));
      expect(ran, line).toMatchObject({ code: 0, err: '' });
      expect(ran.out, line).toMatch(line === '--version' ? /^1\.2\.3\n$/ : /^Usage: aegir/);
    }
  });

  test('4: a master that is not the one of the context', async () => {
    const other = await openMasterApi();
    try {
      const ran = await aegir(['site', 'list'], { AEGIR_ADDRESS: other.address });
      expect(ran).toMatchObject({ code: 4, out: '' });
      expect(ran.err).toMatch(/cannot reach the master/);
    } finally {
      await other.close();
    }
  });

  test('no token is ever said', async () => {
    for (const line of ['site show nowhere.example', 'status', 'token list', 'context list']) {
      const { out, err } = await aegir(line.split(' '));
      expect(out + err).not.toContain(tokens.admin);
    }
  });
});

const READS = [
  ...['server list', 'server show web1', 'service list', 'service show web1/nginx', 'platform list'],
  ...['platform show wordpress', 'site list', 'site show example.org', 'client list', 'task list', 'token list'],
  ...['site usage', 'site usage example.org', 'site cron example.org --plan', 'site set example.org --cron 1h --plan'],
  ...['graph', 'status', 'context list', 'api list', 'site delete example.org --plan'],
];

describe.each(READS)('aegir %s', (line) => {
  test('gives a table to people, and JSON and YAML that parse to programs', async () => {
    const table = await aegir(line.split(' '));
    expect(table.code).toBe(0);
    expect(table.out + table.err).not.toBe('');
    expect(table.out).not.toMatch(DRIVES);
    const json = await aegir([...line.split(' '), '-o', 'json']);
    expect(json).toMatchObject({ code: 0, err: '' });
    expect(json.out).not.toMatch(DRIVES);
    const yaml = await aegir(['--output', 'yaml', ...line.split(' ')]);
    expect(yaml).toMatchObject({ code: 0, err: '' });
    expect(yaml.out).not.toMatch(DRIVES);
    // What moves by itself apart, they say the same.
    if (line !== 'status') expect(parse(yaml.out)).toEqual(JSON.parse(json.out));
  });
});

test('the graph is for Graphviz too, by either option', async () => {
  for (const option of [['-o', 'dot'], ['--dot']]) {
    const { code, out, err } = await aegir(['graph', ...option]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^digraph aegir \{\n/);
    expect(out).toMatch(new RegExp(`^  "${site.id}" \\[label="example\\.org", shape=box\\];$`, 'm'));
    expect(out).toMatch(new RegExp(`^  "${site.id}" -> "${site.bindings.db}" \\[label="binds"\\];$`, 'm'));
    expect(out).not.toMatch(DRIVES);
  }
});

test('names from the wire are whole in JSON, and harmless in tables', async () => {
  const names = JSON.parse((await aegir(['client', 'list', '-o', 'json'])).out).map(
    (client: { name: string }) => client.name,
  );
  expect(names).toContain(EVIL);
  expect((await aegir(['client', 'list'])).out).toContain('evil\\x1b[2J\\x202e\\x9b31m');
  expect((await aegir(['api', 'call', 'ListClients'])).out).not.toMatch(DRIVES);
});

describe('what a site used, and its cron', () => {
  const today = new Date().toISOString().slice(0, 10);
  beforeAll(async () => {
    const { store } = master;
    const server = (await store.servers.find())[0]?.id ?? '';
    await store.usage.save([
      {
        ...{ siteId: site.id, serverId: server, day: today, requests: 12, bytes: 3 * 1024 * 1024, s1: 0, s2: 9, s3: 1 },
        ...{ s4: 2, s5: 0, fileBytes: 2048, inodes: 7, logBytes: null, databaseBytes: 1024, measuredAt: null },
      },
    ]);
    await store.crons.insert({
      ...{ id: `${site.id}/${server}`, siteId: site.id, serverId: server, intervalSeconds: 900, nextAt: Date.now() },
      ...{ lastStartedAt: 1, lastMillis: 1500, lastOutcome: 'failed', lastText: EVIL, failures: 3 },
    });
  });

  test('is a table for people, by site and by day', async () => {
    const all = (await aegir(['site', 'usage'])).out;
    expect(all).toMatch(/^SITE +REQUESTS +SENT +2XX +3XX +4XX +5XX +FILES +INODES +DATABASE +LOGS\n/);
    expect(all).toMatch(/^example\.org +12 +3\.0 MiB +9 +1 +2 +0 +2\.0 KiB +7 +1\.0 KiB +-$/m);
    const one = (await aegir(['site', 'usage', 'example.org', '--days', '2'])).out;
    expect(one).toMatch(/^DAY \(UTC\) /);
    expect(one).toContain(`${today}  12 `);
  });

  test('is exact for programs', async () => {
    const { sites, days } = JSON.parse((await aegir(['site', 'usage', 'example.org', '-o', 'json'])).out);
    expect(sites).toMatchObject([{ site: 'example.org', days: 30, requests: '12', bytesSent: '3145728' }]);
    expect(days).toMatchObject([{ day: today, statuses: ['0', '9', '1', '2', '0'], databaseBytes: '1024' }]);
    const shown = JSON.parse((await aegir(['site', 'show', 'example.org', '-o', 'json'])).out);
    expect(shown).toMatchObject({ cron: { intervalSeconds: 900, lastOutcome: 'failed' }, usage: { requests: '12' } });
  });

  test('is in what is shown of the site, and drives no terminal', async () => {
    const { out } = await aegir(['site', 'show', 'example.org']);
    expect(out).toMatch(/^Cron: +every 15 min \(default\), next at .* on web1$/m);
    expect(out).toMatch(/^Last cron: +failed \(3 times in a row\), .*, 1\.5 s: evil\\x1b/m);
    expect(out).toMatch(/^Size: +files 2\.0 KiB \(7 inodes\), database 1\.0 KiB$/m);
    expect(out).toMatch(/^Traffic: +12 requests, 3\.0 MiB sent in 30 days/m);
    expect(out).not.toMatch(DRIVES);
  });
});

describe('servers', () => {
  test.each([
    ['--auto', { autoAccept: true, autoEnable: ['http', 'db', 'dns', 'file'] }],
    ['--accept', { autoAccept: true }],
    ['--enable http,db', { autoAccept: false, autoEnable: ['http', 'db'] }],
  ])('that join with %s', async (options, policy) => {
    const { code, out } = await aegir(['server', 'join-command', ...options.split(' '), '-o', 'json']);
    expect(code).toBe(0);
    const { command, token } = JSON.parse(out);
    expect([command, token]).toEqual([expect.stringMatching(/^join /), expect.objectContaining(policy)]);
  });

  test('tell what is there now, on demand', async () => {
    let asked = '';
    const { refreshInventory } = master.agents;
    master.agents.refreshInventory = async (serverId) => {
      asked = serverId;
    };
    try {
      expect(JSON.parse((await aegir(['server', 'detect', 'web1', '-o', 'json'])).out)).toMatchObject({ name: 'web1' });
      expect(asked).toBe(ids.web1);
    } finally {
      master.agents.refreshInventory = refreshInventory;
    }
  });

  test('are verified: one report, for people and for programs, then and later', async () => {
    const table = await aegir(['server', 'verify', 'web1', '--check-only']);
    expect(table.out).toMatch(/web1/);
    expect(table.out).not.toMatch(DRIVES);
    const verified = await aegir(['server', 'verify', 'web1', '--check-only', '-o', 'json']);
    const report = JSON.parse(verified.out);
    expect(report).toMatchObject({ server: 'web1', checkOnly: true, findings: expect.any(Array) });
    const later = await aegir(['server', 'report', 'web1', '-o', 'json']);
    expect(JSON.parse(later.out)).toEqual(report);
  });
});

describe('changes', () => {
  test('of cron: by order, another interval, off', async () => {
    const cron = async () => JSON.parse((await aegir(['site', 'show', 'example.org', '-o', 'json'])).out).cron;
    expect((await aegir(['site', 'cron', 'example.org'])).err).toMatch(/site\.cron example\.org: done\n$/);
    expect((await aegir(['site', 'set', 'example.org', '--cron', '2h'])).code).toBe(0);
    expect(await cron()).toMatchObject({ intervalSeconds: 7200, byDefault: false });
    expect((await aegir(['site', 'set', 'example.org', '--cron', '2h'])).err).toMatch(/nothing to do/);
    expect((await aegir(['site', 'set', 'example.org', '--cron', 'off'])).code).toBe(0);
    expect(await cron()).toMatchObject({ intervalSeconds: 0 });
    expect((await aegir(['site', 'show', 'example.org'])).out).toMatch(/^Cron: +off$/m);
  });

  test('of the dns service: what it binds to already, and another', async () => {
    const again = await aegir(['site', 'rebind', 'example.org', '--dns', 'web1/null']);
    expect(again).toMatchObject({ code: 0, err: expect.stringMatching(/binds to web1\/null already: nothing to do/) });
    const { dns } = site.bindings;
    const there = (await master.store.services.find()).find(({ id }) => id === dns);
    if (there === undefined) throw new Error('there is no dns service');
    await master.store.services.insert({ ...there, id: 'svc-0123456789abcdez', instance: 'other' });
    const moved = await aegir(['site', 'rebind', 'example.org', '--dns', 'web1/null:other']);
    expect(moved).toMatchObject({ code: 0, err: expect.stringMatching(/site\.rebind example\.org: done\n$/) });
    const shown = async () => JSON.parse((await aegir(['site', 'show', 'example.org', '-o', 'json'])).out).bindings;
    expect(await shown()).toContainEqual(expect.objectContaining({ type: 'dns', service: 'web1/null:other' }));
    expect((await aegir(['site', 'rebind', 'example.org', '--dns', 'web1/null'])).code).toBe(0);
  });

  test('of many sites: a plan by which some stay says which and why, and fails', async () => {
    const ran = await aegir(['server', 'evacuate', 'web1', '--to', 'db1', '--plan']);
    expect(ran.out).toMatch(
      /^Plan: move the sites of server web1 to db1\n(.*\n)*example\.org: stays: cannot move to db1: no web server is enabled/,
    );
    expect([ran.code, ran.err]).toEqual([
      1,
      'aegir: cannot move the sites of server web1 to db1: 1 of 1 would stay; the plan says why\n',
    ]);
  });

  test('are followed: lines on stderr, the result on stdout', async () => {
    const ran = await aegir(['site', 'disable', 'example.org']);
    expect(ran).toMatchObject({ code: 0, out: '' });
    expect(ran.err).toMatch(/^Take example\.org off the web/);
    expect(ran.err).toMatch(/\[1\/2\] .*maintenance page/);
    expect(ran.err).toMatch(/site\.disable example\.org: done\n$/);
    const json = await aegir(['site', 'enable', 'example.org', '-o', 'json']);
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({ task: { state: 'succeeded', verb: 'site.enable' }, messages: [] });
  });

  test('the login link is on stdout, alone with its sentence', async () => {
    const ran = await aegir(['site', 'login', 'example.org']);
    expect(ran).toMatchObject({ code: 0, out: 'Log in once\n  https://example.org/once\n' });
    expect(ran.err).not.toContain('https://');
    const json = JSON.parse((await aegir(['site', 'login', 'example.org', '-o', 'json'])).out);
    expect(json.messages).toMatchObject([{ kind: 'link', value: 'https://example.org/once' }]);
    const log = await aegir(['task', 'log', json.task.id, '-o', 'json']);
    expect(
      log.out
        .trimEnd()
        .split('\n')
        .map((each) => JSON.parse(each)).length,
    ).toBeGreaterThan(3);
    // A viewer may see the story, not the link.
    const seen = await aegir(['task', 'log', json.task.id], as('viewer'));
    expect(seen).toMatchObject({ code: 0, err: '' });
    expect(seen.out).not.toContain('https://example.org/once');
  });

  test('a plan for code that the agent would not take says so, and fails', async () => {
    const { ask } = master.agents;
    master.agents.ask = async (serverId, request, timeoutMs) => {
      if (request.$case !== 'verifyPlatform') return ask(serverId, request, timeoutMs);
      const message = `cannot use ${request.value.platform?.root} as a platform: there is no such directory`;
      const value = { code: 'failed_precondition', message, retryable: false, untouched: true };
      return { actionId: '', changes: [], outcome: { $case: 'error', value } };
    };
    try {
      const ran = await aegir(['platform', 'add', 'x', '/none', '--service', 'web1/nginx', '--plan']);
      expect(ran.out).toMatch(/^Plan: .*x/);
      expect([ran.code, ran.err]).toEqual([
        1,
        'aegir: cannot do that: step 1 would be refused: cannot use /none as a platform: there is no such directory\n',
      ]);
    } finally {
      master.agents.ask = ask;
    }
    const taken = await aegir(['platform', 'add', 'x', '/srv/x', '--service', 'web1/nginx', '--plan']);
    expect([taken.code, taken.err]).toEqual([0, '']);
  });

  test('what travelled in several rounds is a figure of its own, which may exceed the whole', async () => {
    const { store } = master;
    const [older] = await store.tasks.list({ limit: 1 });
    if (older === undefined) throw new Error('there was a task before');
    const { seq: _, leaseOwner: __, leaseEpoch: ___, leaseExpiresAt: ____, ...task } = older;
    const [id, steps] = ['task-0000000000000002', [{ kind: 'copy.files' }, { kind: 'copy.files' }]];
    await store.tasks.insert({ ...task, id, state: 'succeeded', idempotencyKey: null, locks: [], steps });
    for (const index of [0, 1])
      await store.steps.update(id, index, 0, { result: { copied: 'files', received: 2_097_152, bytes: 3_145_728 } });
    const shown = await aegir(['task', 'show', id]);
    expect(shown.out).toMatch(/^Copied: +3\.0 MiB; 4\.0 MiB travelled in all$/m);
  });

  test('with nothing to do, nothing is done', async () => {
    const ran = await aegir(['site', 'enable', 'example.org']);
    expect(ran).toEqual({ code: 0, out: '', err: 'example.org is enabled already: nothing to do\n' });
    expect(JSON.parse((await aegir(['site', 'enable', 'example.org', '-o', 'json'])).out)).toMatchObject({ plan: {} });
  });

  test('--no-wait answers with the task, --plan with what would be', async () => {
    const plan = await aegir(['site', 'verify', 'example.org', '--plan']);
    expect(plan).toMatchObject({ code: 0, err: '' });
    expect(plan.out).toMatch(/^Plan: Verify example\.org/);
    const ran = await aegir(['site', 'verify', 'example.org', '--no-wait']);
    expect(ran).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^task-\w{16}\n$/) });
    const watched = await aegir(['task', 'watch', ran.out.trim()]);
    expect(watched.code).toBe(0);
    expect(watched.err).toMatch(/site\.verify example\.org: done\n$/);
  });

  test('what waits for an older task names it, and does not wait to be cancelled', async () => {
    const { store } = master;
    const [older] = await store.tasks.list({ limit: 1 });
    if (older === undefined) throw new Error('there was a task before');
    const { seq: _, leaseOwner: __, leaseEpoch: ___, leaseExpiresAt: ____, ...task } = older;
    const [id, locks] = ['task-0000000000000001', [`site/${site.id}`]];
    await store.tasks.insert({ ...task, id, state: 'stuck', finishedAt: null, idempotencyKey: null, locks, steps: [] });
    const ran = await aegir(['site', 'verify', 'example.org', '--no-wait']);
    const shown = await aegir(['task', 'show', ran.out.trim()]);
    expect(shown.out).toMatch(/^Waits for: +task-0000000000000001$/m);
    expect((await aegir(['task', 'cancel', ran.out.trim()])).code).toBe(0);
    const watched = await aegir(['task', 'watch', ran.out.trim()]);
    expect(watched).toMatchObject({
      code: 1,
      err: expect.stringMatching(/site\.verify example\.org was cancelled\n$/),
    });
    expect((await store.tasks.get(id))?.state).toBe('stuck');
    const after = (await aegir(['task', 'show', ran.out.trim()])).out;
    expect(after).toMatch(/^State: +cancelled$/m);
    expect(after).not.toMatch(/Waits for/);
    await store.tasks.update(id, 0, { state: 'failed' });
  });

  test('a task that failed is exit code 1, says why and what next, and harms no terminal', async () => {
    master.agents.before = (order) => {
      if (order.request.$case === 'probeSite') throw new Error(`cannot probe: ${EVIL}\r\nforged line`);
    };
    try {
      await aegir(['site', 'disable', 'example.org']);
      const ran = await aegir(['site', 'enable', 'example.org']);
      expect(ran).toMatchObject({ code: 1, out: '' });
      expect(ran.err).toMatch(
        /site\.enable example\.org failed and was undone: .*after mending the cause: aegir task retry task-\w+\n$/,
      );
      expect(ran.err).not.toMatch(DRIVES);
      expect(ran.err).not.toMatch(/^forged/m);
      const json = await aegir(['site', 'enable', 'example.org', '-o', 'json']);
      expect(json.code).toBe(1);
      expect(JSON.parse(json.out).task).toMatchObject({ state: 'failed' });
      const { id } = JSON.parse(json.out).task;
      for (const line of [`task show ${id}`, `task log ${id}`, `task list`]) {
        const shown = await aegir(line.split(' '));
        expect(shown.code, line).toBe(0);
        expect(shown.out, line).not.toMatch(DRIVES);
        expect(shown.out, line).not.toMatch(/^forged/m);
      }
    } finally {
      master.agents.before = () => {};
    }
    expect((await master.store.sites.get(site.id))?.state).toBe('disabled');
  });

  test('api call reads JSON from its argument or stdin', async () => {
    const asked = '{"site": "example.org"}';
    const ran = await aegir(['api', 'call', 'SiteService/GetSite', asked]);
    expect(JSON.parse(ran.out)).toMatchObject({ name: 'example.org' });
    expect(await aegir(['api', 'call', 'GetSite', '-'], {}, asked)).toEqual(ran);
    const long = await aegir(['api', 'call', 'GetSite', '-'], {}, `{"site": "${'x'.repeat(5_000_000)}"}`);
    expect(long).toMatchObject({ code: 2, err: expect.stringMatching(/it is longer than 4194304 bytes/) });
  });
});

test('the master had no fault of its own', () => {
  expect(master.faults).toEqual([]);
});
