import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PlatformFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { App } from '../app/app.ts';
import type { ActionContext } from '../engine/engine.ts';
import { createFakeHost } from '../host/fake.ts';
import type { Host } from '../host/host.ts';
import type { Tools } from './action.ts';
import { createVerifyPlatform } from './verify-platform.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-platform-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const asked: string[] = [];
const app = (name: string, is: boolean, docroot = ''): App =>
  ({
    name,
    async recognise(root: string): Promise<PlatformFacts | undefined> {
      asked.push(name);
      return is
        ? {
            app: name,
            version: '1',
            docroot: docroot === '' ? root : docroot,
            phpMinimum: '',
            profiles: [],
            languages: [],
          }
        : undefined;
    },
  }) as unknown as App;

function verify(root: string, named: string, apps: readonly App[], host: Host = createFakeHost()) {
  asked.length = 0;
  const ctx = { host, signal: new AbortController().signal } as unknown as ActionContext;
  const platform = { id: 'plat-0123456789abcdef', app: named, root };
  return createVerifyPlatform().run({ platform }, ctx, { apps } as unknown as Tools, {
    resumed: false,
    hide: () => {},
  });
}

describe('verify-platform', () => {
  const apps = [app('drupal', false), app('wordpress', true), app('static', true)];

  test('finds out the app: the first that recognises it', async () => {
    expect((await verify(dir, '', apps)).platform?.app).toBe('wordpress');
    expect(asked).toEqual(['drupal', 'wordpress']);
  });

  test('asks only the app that is named', async () => {
    expect((await verify(dir, 'static', apps)).platform?.app).toBe('static');
    await expect(verify(dir, 'drupal', apps)).rejects.toThrow(
      `cannot use ${dir} as a platform: it is no code base of drupal`,
    );
    expect(asked).toEqual(['drupal']);
    await expect(verify(dir, 'joomla', apps)).rejects.toThrow(/does not know it/);
  });

  test('says what is wrong with the path', async () => {
    await expect(verify(join(dir, 'none'), '', apps)).rejects.toThrow(/as a platform: there is no such directory/);
    writeFileSync(join(dir, 'file'), '');
    await expect(verify(join(dir, 'file'), '', apps)).rejects.toThrow(/as a platform: it is no directory/);
    await expect(verify(join(dir, 'file', 'below'), '', apps)).rejects.toThrow(/there is no such directory/);
    await expect(verify(dir, '', [app('drupal', false)])).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  describe("beside Aegir's own directories", () => {
    const own = ['state', 'sites', 'linkless', 'logs', 'run', 'work'] as const;
    const hostIn = (base: string): Host => {
      const paths = Object.fromEntries(own.map((name) => [name, join(base, name)])) as unknown as Host['paths'];
      return { ...createFakeHost(), paths };
    };
    beforeEach(() => {
      for (const name of own) mkdirSync(join(dir, 'aegir', name, 'some', 'docroot'), { recursive: true });
      mkdirSync(join(dir, 'aegir', 'sites-of-others'));
    });

    test.each(own)('refuses code in or at %s, by whatever path', async (name) => {
      const host = hostIn(join(dir, 'aegir'));
      const refused = new RegExp(`/aegir/${name} is Aegir's own.*put it somewhere else`);
      await expect(verify(join(dir, 'aegir', name), '', apps, host)).rejects.toThrow(refused);
      await expect(verify(join(dir, 'aegir', name, 'some/docroot'), '', apps, host)).rejects.toThrow(refused);
      symlinkSync(join(dir, 'aegir', name, 'some'), join(dir, 'link'));
      await expect(verify(join(dir, 'link/docroot'), '', apps, host)).rejects.toThrow(refused);
      expect(asked).toEqual([]);
    });

    test('refuses code that holds them', async () => {
      for (const root of [dir, join(dir, 'aegir'), '/']) {
        await expect(verify(root, '', apps, hostIn(join(dir, 'aegir')))).rejects.toThrow(/is Aegir's own/);
      }
    });

    test('refuses a document root that leads there by a link', async () => {
      const host = hostIn(join(dir, 'aegir'));
      const root = join(dir, 'code');
      mkdirSync(root);
      mkdirSync(join(dir, 'aegir/sites/some/files'), { recursive: true });
      symlinkSync(join(dir, 'aegir/sites/some/files'), join(root, 'web'));
      const leads = [app('static', true, join(root, 'web'))];
      await expect(verify(root, '', leads, host)).rejects.toThrow(/sites is Aegir's own/);
    });

    test.each([
      ['to a site', 'aegir/sites/some'],
      ['to its files', 'aegir/sites/some/docroot/../files'],
      ['to all of them', 'aegir/sites'],
      ['to what holds them', 'aegir'],
      ['to their logs', 'aegir/logs/some'],
      ['by another link', 'by-another'],
      ['beside what a site publishes', 'aegir/sites/some/docroot-of-old'],
    ])('refuses code with a link somewhere %s', async (_what, target) => {
      const root = join(dir, 'code');
      mkdirSync(join(root, 'a/b'), { recursive: true });
      for (const each of ['files', 'docroot-of-old']) mkdirSync(join(dir, 'aegir/sites/some', each));
      symlinkSync(join(dir, 'aegir/sites/some'), join(dir, 'by-another'));
      symlinkSync(join(dir, target), join(root, 'a/b/peek'));
      const verified = verify(root, '', apps, hostIn(join(dir, 'aegir')));
      await expect(verified).rejects.toThrow(
        /cannot use \S+ as a platform: its link \S+\/code\/a\/b\/peek leads to .*shown what \S+ has of sites; remove it/,
      );
    });

    test('looks where the document root really lies, too', async () => {
      const root = join(dir, 'code');
      for (const each of [root, join(dir, 'pages/deep')]) mkdirSync(each, { recursive: true });
      symlinkSync(join(dir, 'pages'), join(root, 'web'));
      symlinkSync(join(dir, 'aegir/sites/some'), join(dir, 'pages/deep/peek'));
      const leads = [app('static', true, join(root, 'web'))];
      const verified = verify(root, '', leads, hostIn(join(dir, 'aegir')));
      await expect(verified).rejects.toThrow(/its link \S+\/pages\/deep\/peek leads to/);
    });

    test('takes code with links elsewhere, to nowhere, within itself, and to what sites on it publish', async () => {
      const root = join(dir, 'code');
      mkdirSync(join(root, 'sites'), { recursive: true });
      mkdirSync(join(dir, 'aegir/sites/some/docroot/own'));
      symlinkSync(join(dir, 'aegir/sites/some/docroot/own'), join(root, 'sites/some'));
      symlinkSync(join(dir, 'aegir/sites-of-others'), join(root, 'others'));
      symlinkSync(join(dir, 'aegir/sites/gone'), join(root, 'gone'));
      symlinkSync('.', join(root, 'round'));
      expect((await verify(root, '', apps, hostIn(join(dir, 'aegir')))).platform?.app).toBe('wordpress');
    });

    test('knows them behind a link, and takes a neighbour', async () => {
      symlinkSync(join(dir, 'aegir'), join(dir, 'linked'));
      const host = hostIn(join(dir, 'linked'));
      await expect(verify(join(dir, 'aegir/sites/some'), '', apps, host)).rejects.toThrow(/sites is Aegir's own/);
      expect((await verify(join(dir, 'aegir/sites-of-others'), '', apps, host)).platform?.app).toBe('wordpress');
    });
  });
});
