import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PlatformFacts } from '../../shared/gen/aegir/v1/agent.ts';
import type { App } from '../app/app.ts';
import type { ActionContext } from '../engine/engine.ts';
import { createFakeHost } from '../host/fake.ts';
import type { Tools } from './action.ts';
import { createVerifyPlatform } from './verify-platform.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aegir-platform-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const asked: string[] = [];
const app = (name: string, is: boolean): App =>
  ({
    name,
    async recognise(root: string): Promise<PlatformFacts | undefined> {
      asked.push(name);
      return is ? { app: name, version: '1', docroot: root, phpMinimum: '', profiles: [] } : undefined;
    },
  }) as unknown as App;

function verify(root: string, named: string, apps: readonly App[]) {
  asked.length = 0;
  const ctx = { host: createFakeHost(), signal: new AbortController().signal } as unknown as ActionContext;
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
});
