import { describe, expect, test } from 'vitest';
import type { ActionContext } from '../engine/engine.ts';
import { createFakeHost } from '../host/fake.ts';
import { siteLayout } from '../host/site-layout.ts';
import { PASSWORD, siteSpec } from '../testing/requests.ts';
import { connectionOf, databaseContents } from './site-database.ts';

const db = { ...connectionOf(siteSpec()), driver: 'pgsql', port: 5432 };
const on = (app: string, driver = 'pgsql') =>
  siteSpec({ platform: { id: 'plat-0123456789abcdef', app, root: '/srv/code' }, db: { ...db, driver } });

describe('a connection', () => {
  test.each(['drupal', 'php'])('by pgsql is taken for %s', (app) => expect(connectionOf(on(app)).driver).toBe('pgsql'));

  test.each([
    ['wordpress', 'pgsql', /a service of mariadb or mysql is needed/],
    ['static', 'mysql', /a service of {2}?is needed/],
    ['drupal', 'sqlite', /a service of mariadb, mysql, or postgresql is needed/],
    ['joomla', 'mysql', /MariaDB or PostgreSQL is needed/],
  ])('is refused for %s by %s', (app, driver, why) => expect(() => connectionOf(on(app, driver))).toThrow(why));

  test('that a site has not is missed', () => {
    expect(() => connectionOf({ ...on('drupal'), db: undefined })).toThrow(/is needed/);
  });
});

describe('what PHP says of a connection', () => {
  test.each([
    ['refused', 'permission_denied', /at 127.0.0.1:5432: it does not let the web server in; verify the site/],
    ['down', 'unavailable', /look whether PostgreSQL runs there and the network lets port 5432 through/],
    ['driver', 'failed_precondition', /install php-pgsql/],
    [1045, 'permission_denied', /\(error 1045\)/],
    [2002, 'unavailable', /\(error 2002\)/],
  ])('%j is %s', async (error, code, says) => {
    const host = createFakeHost({ answer: () => ({ stdout: `AEGIR-ANSWER:${JSON.stringify({ error })}\n` }) });
    const site = on('php');
    const ctx = { host, signal: new AbortController().signal } as unknown as ActionContext;
    const asked = databaseContents(site, { table: '', sql: '' }, siteLayout(host.paths, site.id), ctx);
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
    await expect(asked).rejects.not.toThrow(PASSWORD);
  });

  test('by a socket PHP gets its directory and port', async () => {
    const host = createFakeHost({ answer: () => ({ stdout: 'AEGIR-ANSWER:{"tables":[],"marker":null}\n' }) });
    const site = { ...on('php'), db: { ...db, host: '', port: 0, socket: '/run/pg/.s.PGSQL.5435' } };
    const ctx = { host, signal: new AbortController().signal } as unknown as ActionContext;
    await databaseContents(site, { table: '', sql: '' }, siteLayout(host.paths, site.id), ctx);
    expect(JSON.parse(String(host.commands[0]?.input))).toMatchObject({ host: '/run/pg', port: 5435 });
  });
});
