// Row 6: what somebody changed by hand is shown by verify --plan, which changes nothing, and mended by verify; of a site, and
// of a server, whose verify ends in a report.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK, until } from '../../deploy/up/processes.ts';
import {
  type ServerReport,
  ServerServiceService,
  ServiceServiceService,
  SiteServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freePorts } from './free-ports.ts';
import { stateOf } from './host-state.ts';
import { addPlatform, addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';

let machine: Machine;
let whole: readonly string[];

beforeAll(async () => {
  machine = await startMachine();
  await addWordpress(machine);
  const { task } = await finish(machine, (await installSite(machine)).taskId);
  expect(task.state, task.reason).toBe('succeeded');
  whole = await stateOf(machine);
});

afterAll(() => machine?.close());

const request = { site: SITE, confirm: false };

async function planned(): Promise<string> {
  const { plan, taskId } = await machine
    .connection()
    .call(SiteServiceService.verifySite, { ...request, options: { planOnly: true, idempotencyKey: '' } });
  expect(taskId).toBe('');
  expect(plan?.steps.map((step) => step.previewNote).filter((note) => note !== '')).toEqual([]);
  return (plan?.steps ?? []).flatMap((step) => step.changes).join('\n');
}

async function verify(): Promise<void> {
  const change = await machine.connection().call(SiteServiceService.verifySite, { ...request, options: undefined });
  const { task } = await finish(machine, change.taskId);
  expect(task.state, task.reason).toBe('succeeded');
}

const home = () => createBrowser(LOOPBACK).get(`http://${SITE}:${machine.layout.ports.web1.nginx}/`);
const etc = (...path: string[]) => join(machine.layout.dir, 'web1/host/etc', ...path);
const siteFile = (dir: string) => {
  const name = readdirSync(dir).find((file) => file.startsWith('aegir-site-'));
  if (name === undefined) throw new Error(`${dir} holds no file of a site`);
  return join(dir, name);
};
const siteDir = () => {
  const sites = join(machine.layout.dir, 'web1/host/sites');
  return join(sites, readdirSync(sites)[0] ?? '');
};
/** Of the site that has such a file. */
const siteDirOf = (file: string) => {
  const sites = join(machine.layout.dir, 'web1/host/sites');
  const name = readdirSync(sites).find((each) => existsSync(join(sites, each, 'config', file)));
  if (name === undefined) throw new Error(`no site has ${file}`);
  return join(sites, name);
};
/** Of configuration and sites; without logs and what daemons keep for themselves. */
function contents(host: string): string[] {
  return ['etc', 'sites'].flatMap((top) =>
    readdirSync(join(host, top), { withFileTypes: true, recursive: true }).flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isFile() ? [`${path} ${statSync(path).mtimeMs} ${readFileSync(path, 'utf8')}`] : [];
    }),
  );
}
const user = () => sql(machine, "SELECT DISTINCT user FROM mysql.user WHERE user LIKE 's\\_%'")[0] ?? '';
const database = () =>
  sql(machine, "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'site\\_%'")[0] ?? '';
const grants = () =>
  sql(machine, "SELECT CONCAT(user, '@', host) FROM mysql.user WHERE user LIKE 's\\_%'").flatMap((account) => {
    const [name = '', from = ''] = account.split('@');
    return sql(machine, `SHOW GRANTS FOR '${name}'@'${from}'`);
  });

test('a site that is as it should be has nothing to mend', async () => {
  expect(await planned()).toBe('');
});

interface Drift {
  readonly what: string;
  /** Of the kind of another one. */
  readonly deep?: true;
  /** What the plan says about it. */
  readonly shown: RegExp;
  make(): void;
  /** Whether it is mended. */
  readonly mended: () => void | Promise<void>;
}

const drifts: readonly Drift[] = [
  {
    what: 'a virtual host that was deleted',
    shown: /restore virtual host of fault\.localhost: it was missing/,
    make: () => rmSync(siteFile(etc('nginx/conf.d'))),
    mended: () => expect(readFileSync(siteFile(etc('nginx/conf.d')), 'utf8')).toContain(SITE),
  },
  {
    what: 'a virtual host that was edited',
    deep: true,
    shown: /virtual host of fault\.localhost/,
    make: () => {
      const file = siteFile(etc('nginx/conf.d'));
      writeFileSync(file, readFileSync(file, 'utf8').replace(/server_name [^;]+;/, 'server_name evil.localhost;'));
    },
    mended: () => expect(readFileSync(siteFile(etc('nginx/conf.d')), 'utf8')).not.toContain('evil'),
  },
  {
    what: 'a pool of PHP-FPM that was deleted',
    deep: true,
    shown: /PHP [0-9.]+ pool of fault\.localhost/,
    make: () => rmSync(siteFile(etc('php-fpm-8.2/pool.d'))),
    mended: () => expect(siteFile(etc('php-fpm-8.2/pool.d'))).not.toBe(''),
  },
  {
    what: 'a grant that was widened',
    shown: /rights? /i,
    make: () => sql(machine, `GRANT SELECT ON *.* TO '${user()}'@'127.0.0.1'`),
    mended: () => expect(grants().join('\n')).not.toMatch(/GRANT SELECT ON \*\.\*/),
  },
  {
    what: 'a grant that was taken away',
    deep: true,
    shown: /rights? /i,
    make: () =>
      sql(machine, `REVOKE ALL PRIVILEGES ON \`${database().replaceAll('_', '\\_')}\`.* FROM '${user()}'@'127.0.1.1'`),
    mended: () => expect(grants().filter((grant) => grant.includes(' ON `site'))).toHaveLength(2),
  },
  {
    what: 'a user that was dropped',
    deep: true,
    shown: /create user s_/,
    make: () => sql(machine, `DROP USER '${user()}'@'127.0.1.1'`),
    mended: () => expect(grants().filter((grant) => grant.includes(' ON `site'))).toHaveLength(2),
  },
  {
    what: 'a user from elsewhere',
    shown: /user s_/,
    make: () => sql(machine, `CREATE USER '${user()}'@'%' IDENTIFIED BY 'guessed'`),
    mended: () => expect(sql(machine, "SELECT host FROM mysql.user WHERE host = '%'")).toEqual([]),
  },
  {
    what: 'settings that were edited, and readable for everybody',
    shown: /settings/,
    make: () => {
      const file = join(siteDir(), 'config/settings.php');
      writeFileSync(file, `${readFileSync(file, 'utf8')}\n// somebody was here\n`);
      chmodSync(file, 0o644);
    },
    mended: () => {
      const file = join(siteDir(), 'config/settings.php');
      expect(readFileSync(file, 'utf8')).not.toContain('somebody was here');
      expect(statSync(file).mode & 0o007).toBe(0);
    },
  },
];

describe.each(drifts)('$what', ({ deep, shown, make, mended }) => {
  test('is shown, and mended', { tags: deep ? ['deep'] : [] }, async () => {
    make();
    const drifted = await stateOf(machine);
    expect(await planned()).toMatch(shown);
    expect(await stateOf(machine), 'a plan changes nothing').toEqual(drifted);
    await verify();
    await mended();
    expect(await stateOf(machine)).toEqual(whole);
    expect((await home()).status).toBe(200);
    expect(await planned()).toBe('');
  });
});

type Verified = { readonly state: string; readonly report: ServerReport };

async function verifyServer(server: string, checkOnly = false): Promise<Verified> {
  const link = machine.connection();
  const { taskId } = await link.call(ServerServiceService.verifyServer, { server, checkOnly, options: undefined });
  const { task } = await finish(machine, taskId);
  const report = await link.call(ServerServiceService.getServerReport, { server, taskId: '' });
  expect(report.taskId).toBe(taskId);
  return { state: `${task.state} ${task.reason}`.trim(), report };
}

async function plannedOn(server: string): Promise<readonly string[]> {
  const options = { planOnly: true, idempotencyKey: '' };
  const { plan } = await machine
    .connection()
    .call(ServerServiceService.verifyServer, { server, checkOnly: false, options });
  return (plan?.steps ?? []).flatMap((step) => step.changes);
}

const brief = ({ findings }: ServerReport, group: string) =>
  findings
    .filter((found) => found.group === group && found.severity !== 'ok')
    .map(({ code, subject }) => `${code} ${subject}`);

describe('server verify', () => {
  test('a server that is well has a report that says so, with what was looked at', async () => {
    const { state, report } = await verifyServer('web1');
    expect(state).toBe('succeeded');
    expect(report).toMatchObject({ server: 'web1', errors: 0, repaired: 0, checkOnly: false });
    const codes = new Set(report.findings.map(({ code }) => code));
    for (const code of ['clock.skew', 'disk.space', 'memory.available', 'load.average', 'name.lookup']) {
      expect(codes).toContain(code);
    }
    for (const code of ['agent.certificate', 'version.system', 'site.sound', 'port.reached']) {
      expect(codes).toContain(code);
    }
    const reached = report.findings.find(({ code }) => code === 'port.reached');
    // By the master, and by the other agent.
    expect(reached).toMatchObject({ severity: 'ok', text: expect.stringMatching(/reached from the master, db1$/) });
  });

  test('what drifted is shown without being touched, then mended alone, and told', async () => {
    const file = siteFile(etc('nginx/conf.d'));
    rmSync(file);
    const drifted = await stateOf(machine);
    expect(await plannedOn('web1')).toEqual([expect.stringMatching(/restore virtual host of fault\.localhost/)]);
    const looked = await verifyServer('web1', true);
    expect(looked.state).toBe('succeeded');
    expect(brief(looked.report, 'site')).toEqual([`site.drift ${SITE}`]);
    expect(await stateOf(machine), 'a look changes nothing').toEqual(drifted);
    const { state, report } = await verifyServer('web1');
    expect(state).toBe('succeeded');
    expect(report.repaired).toBe(1);
    expect(report.findings.find(({ repaired }) => repaired)).toMatchObject({
      ...{ group: 'site', code: 'site.drift', subject: SITE },
      changes: [expect.stringMatching(/restore virtual host/)],
    });
    expect(await stateOf(machine)).toEqual(whole);
    expect(await plannedOn('web1')).toEqual([]);
  });

  test('changed details of a database reach the sites that use it, and nothing else', async () => {
    // A site that has none, on the same web server.
    const docs = join(machine.layout.dir, 'docs');
    mkdirSync(docs);
    writeFileSync(join(docs, 'index.html'), '<h1>docs</h1>');
    await addPlatform(machine, 'docs', docs);
    const other = await installSite(machine, 'docs.localhost', [], 'docs', '');
    expect((await finish(machine, other.taskId)).task.state).toBe('succeeded');
    const others = () => contents(join(machine.layout.dir, 'web1/host')).filter((line) => !line.includes('/config/'));
    const before = others();
    const settings = () => readFileSync(join(siteDirOf('settings.php'), 'config/settings.php'), 'utf8');
    const was = settings();

    const [port = 0] = await freePorts(1, '127.0.1.2');
    const { db1 } = machine.layout.ports;
    expect(was).toContain(String(db1.mariadb));
    await machine.stop('db1');
    Object.assign(db1, { mariadb: port });
    await machine.start('db1');
    await machine.ready();
    await until('the new port to be known', undefined, AbortSignal.timeout(60_000), async () => {
      const service = await machine.connection().call(ServiceServiceService.getService, { service: 'db1/mariadb' });
      return service.detected?.ports[0] === port;
    });
    expect((await home()).status, 'the site looks for its database at the old port').not.toBe(200);

    const planned = await plannedOn('db1');
    expect(planned).toEqual([expect.stringMatching(/settings/)]);
    const { state, report } = await verifyServer('db1');
    expect(state).toBe('succeeded');
    expect(
      report.findings.filter(({ repaired }) => repaired).map(({ subject, changes }) => [subject, changes]),
    ).toEqual([[SITE, [...planned]]]);
    expect(settings()).toContain(String(port));
    expect((await home()).status).toBe(200);
    expect(others(), 'nothing else on the web server').toEqual(before);
    expect(await plannedOn('db1')).toEqual([]);
    expect(await plannedOn('web1')).toEqual([]);
  });

  test('a daemon that cannot run is an error, and the task says so; others are looked at all the same', async () => {
    const broken = etc('nginx/conf.d/aaa-broken.conf');
    writeFileSync(broken, 'no such directive;\n');
    const { state, report } = await verifyServer('web1', true);
    expect(state).toMatch(/^failed cannot call web1 well: .*; see: aegir server report web1$/);
    expect(report.errors).toBeGreaterThan(0);
    expect(report.findings.filter(({ severity }) => severity === 'error').map(({ subject }) => subject)).toContainEqual(
      expect.stringContaining('web1/nginx'),
    );
    expect(report.findings.map(({ code }) => code)).toContain('disk.space');
    rmSync(broken);
    expect((await verifyServer('web1', true)).state).toBe('succeeded');
  });
});

// Last: there is nothing left after it.
test('a database that is gone is said to be lost, by plan and verify, and no empty one takes its place', async () => {
  const lost = database();
  sql(machine, `DROP DATABASE \`${lost}\``);
  const call = { ...request, options: { planOnly: true, idempotencyKey: '' } };
  const { plan } = await machine.connection().call(SiteServiceService.verifySite, call);
  expect(plan?.steps[0]?.previewNote).toMatch(`database ${lost}: it is missing in MariaDB`);
  const change = await machine.connection().call(SiteServiceService.verifySite, { ...request, options: undefined });
  const { task } = await finish(machine, change.taskId);
  expect([task.state, task.reason]).toEqual(['failed', expect.stringMatching(/content of the site .* put a dump/)]);
  expect(database()).toBe('');
});
