// Row 6: what somebody changed by hand is shown by verify --plan, which changes nothing, and mended by verify.
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import { SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { stateOf } from './host-state.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
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
    shown: /virtual host of fault\.localhost/,
    make: () => {
      const file = siteFile(etc('nginx/conf.d'));
      writeFileSync(file, readFileSync(file, 'utf8').replace(/server_name [^;]+;/, 'server_name evil.localhost;'));
    },
    mended: () => expect(readFileSync(siteFile(etc('nginx/conf.d')), 'utf8')).not.toContain('evil'),
  },
  {
    what: 'a pool of PHP-FPM that was deleted',
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
    shown: /rights? /i,
    make: () =>
      sql(machine, `REVOKE ALL PRIVILEGES ON \`${database().replaceAll('_', '\\_')}\`.* FROM '${user()}'@'127.0.1.1'`),
    mended: () => expect(grants().filter((grant) => grant.includes(' ON `site'))).toHaveLength(2),
  },
  {
    what: 'a user that was dropped',
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

describe.each(drifts)('$what', ({ shown, make, mended }) => {
  test('is shown, and mended', async () => {
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
