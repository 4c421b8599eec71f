import { beforeEach, describe, expect, test } from 'vitest';
import { type ActionContext, type Change, runChanges } from '../engine/engine.ts';
import { createFakeHost, type FakeHost } from '../host/fake.ts';
import { siteLayout } from '../host/site-layout.ts';
import { SITE_ID } from '../testing/requests.ts';
import { planAccount, planAccountRemoval } from './account.ts';

let host: FakeHost;
let ctx: ActionContext;
beforeEach(() => {
  host = createFakeHost();
  ctx = {
    host,
    signal: new AbortController().signal,
    failpoint: () => {},
    log: () => {},
    progress: () => {},
    message: () => {},
  };
});
const layout = siteLayout(createFakeHost().paths, SITE_ID);
const summaries = (changes: readonly Change[]) => changes.map((change) => change.summary);

describe("a site's account", () => {
  test('is made whole, with the modes and owners of site-layout.ts, and then there is nothing to do', async () => {
    const changes = await planAccount(layout, host);
    expect(host.acts).toEqual([]); // planning only looks
    await runChanges(changes, ctx);
    const entry = (path: string) => {
      const { mode, owner, group } = host.tree.get(path) as { mode: number; owner?: string; group?: string };
      return `${mode.toString(8)} ${owner}:${group}`;
    };
    const { user } = layout;
    expect(user.length).toBeLessThanOrEqual(32);
    expect(entry(layout.root)).toBe('711 root:root');
    expect(entry(layout.docroot)).toBe('755 root:root');
    expect(entry(layout.config)).toBe(`750 root:${user}`);
    expect(entry(layout.files)).toBe(`2750 ${user}:www-data`);
    expect(entry(layout.tmp)).toBe(`2700 ${user}:www-data`);
    for (const path of [layout.private, layout.sessions]) expect(entry(path)).toBe(`700 ${user}:${user}`);
    expect(entry(layout.logs)).toBe(`750 root:${user}`);
    expect(entry(`${layout.logs}/php.log`)).toBe(`640 ${user}:${user}`);
    expect(await planAccount(layout, host)).toEqual([]);
  });

  test('gives files to the group of the web server that is there, and says when there is none', async () => {
    host = createFakeHost({ daemons: [{ name: 'apache2', user: 'apache' }] });
    await runChanges(await planAccount(layout, host), { ...ctx, host });
    expect(host.tree.get(layout.files)).toMatchObject({ group: 'apache' });
    host = createFakeHost({ daemons: [{ name: 'mariadb' }] });
    await expect(planAccount(layout, host)).rejects.toThrow(/no web server .*; install nginx or apache2/);
  });

  test('goes on after a crash at any change', async () => {
    const all = (await planAccount(layout, host)).length;
    for (let done = 0; done < all; done++) {
      host = createFakeHost();
      ctx = { ...ctx, host };
      await runChanges((await planAccount(layout, host)).slice(0, done), ctx);
      await runChanges(await planAccount(layout, host), ctx);
      expect(await planAccount(layout, host)).toEqual([]);
    }
  });

  test('a changed mode or owner is drift, found and mended alone', async () => {
    await runChanges(await planAccount(layout, host), ctx);
    host.tree.set(layout.private, { kind: 'directory', mode: 0o777, owner: layout.user, group: layout.user });
    host.tree.set(layout.files, { kind: 'directory', mode: 0o2750, owner: 'root', group: 'www-data' });
    host.tree.delete(layout.tmp);
    const changes = await planAccount(layout, host);
    expect(summaries(changes)).toEqual([
      `mend mode and owner of directory ${layout.files} (2750 ${layout.user}:www-data)`,
      `mend mode and owner of directory ${layout.private} (0700 ${layout.user}:${layout.user})`,
      `make directory ${layout.tmp} (2700 ${layout.user}:www-data)`,
    ]);
    await runChanges(changes, ctx);
    expect(await planAccount(layout, host)).toEqual([]);
  });

  test('says what is missing on a server without a web server', async () => {
    await expect(planAccount(layout, createFakeHost({ daemons: [] }))).rejects.toThrow(/no web server/);
  });

  test('is removed whole, files before the user, after a crash at any change too, and only once', async () => {
    for (let done = 0; done <= 3; done++) {
      host = createFakeHost();
      ctx = { ...ctx, host };
      await runChanges(await planAccount(layout, host), ctx);
      host.tree.set(`${layout.files}/upload.png`, { kind: 'file', content: 'x', mode: 0o644 });
      const removal = await planAccountRemoval(layout, host);
      expect(summaries(removal).map((text) => text.split(' ').slice(0, 2).join(' '))).toEqual([
        'remove directory',
        'end the',
        'remove logs',
      ]);
      await runChanges(removal.slice(0, done), ctx);
      await runChanges(await planAccountRemoval(layout, host), ctx);
      expect(await planAccountRemoval(layout, host)).toEqual([]);
      expect([...host.tree.keys()].filter((path) => path.includes(SITE_ID))).toEqual([]);
      expect(await host.users.lookup(layout.user)).toBeUndefined();
    }
  });
});
