import { beforeEach, describe, expect, test } from 'vitest';
import type { ActionContext } from '../../engine/engine.ts';
import { createFakeHost, type FakeHost } from '../../host/fake.ts';
import type { CommandResult } from '../../host/host.ts';
import { siteLayout } from '../../host/site-layout.ts';
import { PASSWORD, SALT, siteSpec } from '../../testing/requests.ts';
import { writeCode } from '../conformance-code.ts';
import { findDrush, installByDrush } from './drush.ts';
import type { CodeBase } from './recognise.ts';

const code: CodeBase = { root: '/srv/x', docroot: '/srv/x/web', version: '10.3.1', line: 8, phpMinimum: '8.1' };
const seven: CodeBase = { ...code, docroot: '/srv/x', version: '7.105', line: 7 };
const EIGHT = 'drush/drush/commands/core/site_install.drush.inc';
const MODERN = { 'drush/drush/drush.php': '<?php', 'autoload.php': '<?php' };

let host: FakeHost;
beforeEach(() => {
  host = createFakeHost({ programs: ['drush8', 'drush'] });
});
const vendor = (place: string, files: Readonly<Record<string, string>>) =>
  writeCode(host.files, `/srv/x/${place}`, files);

describe('finding drush', () => {
  test.each(['vendor', 'web/vendor'])('in %s', async (place) => {
    await vendor(place, MODERN);
    const path = `/srv/x/${place}/drush/drush/drush.php`;
    expect(await findDrush(code, host)).toEqual({ program: ['php', path], path });
  });

  test('where composer.json says, inside of the code base only', async () => {
    await vendor('lib/php', MODERN);
    await vendor('.', { 'composer.json': '{"config": {"vendor-dir": "lib/php"}}' });
    expect((await findDrush(code, host))?.path).toBe('/srv/x/lib/php/drush/drush/drush.php');
    await writeCode(host.files, '/srv/other', MODERN);
    await vendor('.', { 'composer.json': '{"config": {"vendor-dir": "../other"}}' });
    expect(await findDrush(code, host)).toBeUndefined();
  });

  test("never the server's own for Drupal 8 and later, nor one without its libraries", async () => {
    expect(await findDrush(code, host)).toBeUndefined();
    await vendor('vendor', { 'drush/drush/drush.php': '<?php' });
    expect(await findDrush(code, host)).toBeUndefined();
  });

  test('for Drupal 7: its own drush 8, or else drush8 of the server; no later one', async () => {
    await vendor('vendor', MODERN);
    expect((await findDrush(seven, host))?.program).toEqual(['/usr/bin/drush8']);
    await vendor('vendor', { [EIGHT]: '<?php' });
    expect((await findDrush(seven, host))?.path).toBe('/srv/x/vendor/drush/drush/drush.php');
    expect(await findDrush(seven, createFakeHost({ programs: ['drush'] }))).toBeUndefined();
  });
});

describe('installing by drush', () => {
  const site = siteSpec({ title: "--it's; a $(title)" });
  const account = { name: 'root', mail: 'root@example.org', locale: 'de', profile: 'minimal' };
  const install = async (answer: Partial<CommandResult>) => {
    const fake = createFakeHost({ answer: () => answer });
    const ctx: ActionContext = {
      host: fake,
      signal: new AbortController().signal,
      failpoint: () => {},
      log: () => {},
      progress: () => {},
      message: () => {},
    };
    const drush = { program: ['php', '/srv/x/drush.php'], path: '/srv/x/drush.php' } as const;
    await installByDrush(drush, code, site, account, siteLayout(fake.paths, site.id), ctx);
    return fake.commands;
  };

  test('says all but secrets on the command line, as the user of the site', async () => {
    const [command, ...more] = await install({ code: 0 });
    expect(more).toEqual([]);
    expect(command?.user).toBe(siteLayout(host.paths, site.id).user);
    expect(command?.argv).toEqual(
      expect.arrayContaining([
        'site-install',
        'minimal',
        `--sites-subdir=${site.id}`,
        `--uri=${site.url}`,
        "--site-name=--it's; a $(title)",
        '--account-name=root',
        '--locale=de',
      ]),
    );
    const told = JSON.stringify([command?.argv, command?.env]);
    for (const secret of [PASSWORD, SALT, '--account-pass', '--db-url']) expect(told).not.toContain(secret);
    expect(command?.env?.['AEGIR_SITE']).toBe(site.id);
  });

  test('tells why it failed, without the password that drush made up', async () => {
    const stderr = 'User password: hunter22\nPHP Fatal error:  no such class in x.php\n';
    const failed = install({ code: 1, stderr });
    await expect(failed).rejects.toThrow(/drush\.php ended with status 1: .*no such class in x\.php/);
    await expect(failed).rejects.not.toThrow(/hunter22/);
  });
});
