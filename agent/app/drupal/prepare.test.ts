import { beforeEach, describe, expect, test } from 'vitest';
import { type ActionContext, runChanges } from '../../engine/engine.ts';
import { createFakeHost, type FakeHost } from '../../host/fake.ts';
import { siteLayout } from '../../host/site-layout.ts';
import { PASSWORD, SALT, siteSpec } from '../../testing/requests.ts';
import { writeCode } from '../conformance-code.ts';
import { planSite, planSiteRemoval } from './prepare.ts';

const site = siteSpec({ platform: { id: 'plat-0123456789abcdef', app: 'drupal', root: '/srv/d' } });
const ENTRY = `/srv/d/web/sites/${site.id}`;
const layout = siteLayout(createFakeHost().paths, site.id);
const OWN = `${layout.docroot}/own`;

let host: FakeHost;
let ctx: ActionContext;
beforeEach(async () => {
  host = createFakeHost();
  const nothing = () => {};
  const signal = new AbortController().signal;
  ctx = { host, signal, failpoint: nothing, log: nothing, progress: nothing, message: nothing };
  await writeCode(host.files, '/srv/d/web', {
    'index.php': '<?php',
    'core/lib/Drupal.php': "<?php\n  const VERSION = '10.3.1';\n",
  });
  await host.users.ensure(layout.user, layout.root);
});
const prepare = async () => runChanges(await planSite(site, layout, host), ctx);
const mode = (path: string) => {
  const entry = host.tree.get(path);
  return entry === undefined || entry.kind === 'link' ? '' : `${entry.mode.toString(8)} ${entry.owner}:${entry.group}`;
};

describe('a site on a shared code base', () => {
  test('has settings that only it can read and nobody write', async () => {
    const done = await prepare();
    expect(mode(OWN)).toBe('755 root:root');
    expect(mode(`${OWN}/settings.php`)).toBe(`440 root:${layout.user}`);
    expect(mode(`${layout.config}/prepend.php`)).toBe(`440 root:${layout.user}`);
    expect(mode(`${layout.private}/config`)).toBe(`700 ${layout.user}:${layout.user}`);
    expect(mode('/srv/d/web/sites/aegir.sites.php')).toBe('444 root:root');
    expect(await host.files.readLink(ENTRY)).toBe(OWN);
    expect(await host.files.readLink(`${OWN}/files`)).toBe(layout.files);
    expect(done.at(-1)).toContain(ENTRY); // last, so that nobody finds half a site
    for (const secret of [PASSWORD, SALT]) expect(done.join('\n')).not.toContain(secret);
    expect(await planSite(site, layout, host)).toEqual([]);
  });

  test('writes nothing with secrets into the code base', async () => {
    await prepare();
    for (const [path, entry] of host.tree) {
      if (path.startsWith('/srv/d/') && entry.kind === 'file') expect(entry.content).not.toContain(site.salt);
      if (path.startsWith('/srv/d/') && entry.kind === 'file') expect(entry.content).not.toContain(site.id);
    }
  });

  test('lives with a directory that Drupal closed, and opens it to write', async () => {
    await prepare();
    await host.files.directory(OWN, { mode: 0o555, owner: 'root', group: 'root' });
    expect(await planSite(site, layout, host)).toEqual([]);
    const renamed = { ...site, aliases: ['new.example.org'] };
    const [first] = await planSite(renamed, layout, host);
    expect(first?.summary).toBe(`make directory ${OWN}`);
  });

  test('refuses a code base whose own sites.php would not find the site, until it reads ours', async () => {
    const path = '/srv/d/web/sites/sites.php';
    await host.files.write(path, "<?php\n$sites['x'] = 'y';\n", { mode: 0o644 });
    await expect(planSite(site, layout, host)).rejects.toThrow(/add at its end the line: include/);
    const own = "<?php\n$sites['x'] = 'y';\ninclude __DIR__ . '/aegir.sites.php';\n";
    await host.files.write(path, own, { mode: 0o644 });
    await prepare();
    expect(await host.files.read(path)).toBe(own);
  });

  test('does not take the place of a directory that somebody made', async () => {
    await host.files.directory(ENTRY, { mode: 0o755 });
    await expect(planSite(site, layout, host)).rejects.toThrow(/no link of ours; move it away/);
    expect(await planSiteRemoval(site, layout, host)).toEqual([]);
  });

  test('is taken off the code base, once, and never another site', async () => {
    await prepare();
    const other = `/srv/d/web/sites/site-ffffffffffffffff`;
    await host.files.link('/elsewhere', other);
    await runChanges(await planSiteRemoval(site, layout, host), ctx);
    expect(await host.files.readLink(ENTRY)).toBeUndefined();
    expect(await host.files.readLink(other)).toBe('/elsewhere');
    expect(await planSiteRemoval(site, layout, host)).toEqual([]);
  });

  test('says what to do when the platform is gone', async () => {
    await host.files.remove('/srv/d');
    await expect(planSite(site, layout, host)).rejects.toThrow(/it holds no Drupal; verify the platform/);
    expect(await planSiteRemoval(site, layout, host)).toEqual([]);
  });
});
